"""ImageNet (ILSVRC 2012), which everybody downloads with an account of their own: its images come from a folder."""

from widedeep.data.catalogue import DataSet

DATA_SETS = [
    DataSet(name="imagenet", train_examples=1_281_167, test_examples=50_000, channels=3, side=224, classes=1000)
]
