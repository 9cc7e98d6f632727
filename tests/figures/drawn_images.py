"""What a PNG shows of the images in a figure."""

import matplotlib.pyplot as plt
import numpy as np


def cells(path, figure, axis):
    """The median grey of each cell of the image on an axis, from below, (rows, columns), in the PNG of its figure.

    Fails where the cells have no whole number of pixels, or where width and height of their image differ.
    """
    image = plt.imread(path)[::-1, :, 0]  # from below
    box = axis.get_window_extent().transformed(figure.transFigure.inverted())
    (left, bottom), (right, top) = np.round(np.array([box.p0, box.p1]) * image.shape[::-1]).astype(int)
    shown = image[bottom:top, left:right]
    rows, columns = axis.images[0].get_array().shape[:2]
    height, width = shown.shape
    assert height == width
    assert height % rows == width % columns == 0
    return np.median(shown.reshape(rows, height // rows, columns, width // columns), axis=(1, 3))
