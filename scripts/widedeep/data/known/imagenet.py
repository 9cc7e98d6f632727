"""ImageNet (ILSVRC 2012): its images come from a folder, since downloading them needs a personal account."""

from widedeep.data.catalogue import DataSet

DATA_SETS = [
    DataSet(name="imagenet", train_examples=1_281_167, test_examples=50_000, channels=3, side=224, classes=1000)
]
