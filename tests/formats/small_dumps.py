"""Dumps of a small network."""

import small
import torch

from widedeep.analysis import activations
from widedeep.data import augmentation, minibatches
from widedeep.formats import dumps
from widedeep.networks import tracing
from widedeep.networks.build import build

ORIGIN = dumps.Origin("blobs-resnet8-w1-f100", 1, "abc", "test")


def network(seed=0, family="resnet"):
    net = build(family, 8, 1, 3, 1, generator=torch.Generator().manual_seed(seed))
    net(augmentation.plain(torch.from_numpy(small.split(64).images).permute(0, 2, 3, 1), torch.arange(64)))
    return net.to(memory_format=torch.channels_last).eval()


def write(path, form="gram", net=None, layers=None, sample_ids=None, origin=ORIGIN):
    net = net or network()
    ids = minibatches.minibatches(40, 16, 2, 0) if sample_ids is None else sample_ids
    chosen = layers or tracing.layers_of(net)
    activations.write_dump(path, net, chosen, small.split(40, 5).images, ids, form, origin, small.CPU)
    return path
