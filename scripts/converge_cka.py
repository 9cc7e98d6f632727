"""Draw appendix A of the paper: CKA by number and size of minibatches, beside its full-batch value.

Shows the unbiased estimator, which the workflow uses, and below it the biased one. The layers are the last ones of the
first, middle and last stage of one network.

Example (after the example of scripts/train.py --help):
  python scripts/converge_cka.py --weights results/one/resnet14/model.safetensors --data data/digits/dataset.h5 \\
      --batch-sizes 16 64 --out A.pdf A.png A.csv
"""

from widedeep.analysis.convergence_options import ConvergenceOptions
from widedeep.runtime import command, options


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--weights", required=True, metavar="FILE", help="model.safetensors of scripts/train.py")
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5 of scripts/download.py")
    options.add_arguments(parser, ConvergenceOptions)
    parser.add_argument("--seed", type=int, default=0, help="seed of the order of examples (default: 0)")
    command.add_device(parser)
    command.add_workers(parser)
    command.add_figure_options(parser)
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    import numpy as np
    import pandas as pd

    from widedeep import names
    from widedeep.analysis import convergence
    from widedeep.data import loading
    from widedeep.figures.convergence import draw_convergence
    from widedeep.figures.style import save
    from widedeep.formats import dataset, metrics, weights
    from widedeep.networks.devices import device_named

    given = options.from_arguments(ConvergenceOptions, args)
    device = device_named(args.device)
    network, configuration, training = weights.load(args.weights, device)
    weights.check_data(args.weights, training, dataset.describe(args.data), args.data)
    images = loading.read(args.data, "test", workers=args.workers).images[: given.examples]
    layers = convergence.three_layers(network)
    grams = np.stack([convergence.gram_of(network, layer, images, 256, device) for layer in layers])
    layer_names = [layer.name for layer in layers]
    table = pd.DataFrame(convergence.table(layer_names, grams, given.batch_sizes, given.passes, args.seed))
    title = metrics.network_title(names.label(configuration, training["seed"]), metrics.read(args.metrics))
    save(draw_convergence(table, title, args.colour_map), table, args.out)
    print(f"{title}: {len(images)} examples, {len(table)} lines: {' '.join(args.out)}")


if __name__ == "__main__":
    command.run(main)
