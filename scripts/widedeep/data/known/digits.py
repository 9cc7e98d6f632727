"""The digits in scikit-learn: 1,797 scanned 8 x 8 images, split 1,437 to 360 with equal shares of classes."""

from widedeep.data.catalogue import DataSet, Fetched


def embedded(_folder, _mirrors, _archive):
    """The images in scikit-learn, with their values from 0 to 16 scaled to 0 to 255.

    Returns:
        Fetched
    """
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from widedeep.formats.dataset import Split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, bunch.target, test_size=360, stratify=bunch.target, random_state=0
    )
    return Fetched(Split(train_images, train_labels), Split(test_images, test_labels), list("0123456789"))


DATA_SETS = [
    DataSet(
        name="digits",
        train_examples=1437,
        test_examples=360,
        channels=1,
        side=8,
        classes=10,
        sources={"embedded": embedded},
        checksums=(
            "a91fe7353c210cab45747da5b457a6b559b559561aad17c6bd206c60c6278b6e",
            "2a5e0fcfaf6756a47071f11e1bb55825095fb62fc132db94ade8787f946ca833",
        ),
        # A mirrored digit is no digit, or another one.
        mirrored=False,
    )
]
