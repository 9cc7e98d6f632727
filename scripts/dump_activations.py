"""Dump the activations of every layer of a trained network on the test set, its first components, its predictions.

The form `gram` keeps the Gram matrix of the centred activations of each layer and minibatch. This is all that linear
CKA needs, at a size that does not depend on the width. `raw` keeps the activations in float32, `raw16` in float16.
--components also writes each layer's first principal component over the whole test set, --predictions the logarithm of
each class's probability, and --provenance the weights, code, machine and time behind these files.

Example (after the example of scripts/train.py --help):
  python scripts/dump_activations.py results/one/resnet14/model.safetensors --data data/digits/dataset.h5 \\
      --batch-size 64 --out results/one/resnet14/activations.h5 --components results/one/resnet14/pca.h5
"""

from widedeep.formats.dump_options import DumpOptions
from widedeep.networks import layers
from widedeep.runtime import command, files, options, provenance


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("model", metavar="WEIGHTS", help="model.safetensors of scripts/train.py")
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5 of scripts/download.py")
    parser.add_argument("--out", required=True, metavar="FILE", help="activations.h5 to write")
    parser.add_argument("--components", metavar="FILE", help="pca.h5 to write")
    parser.add_argument("--predictions", metavar="FILE", help="predictions.h5 to write")
    parser.add_argument("--provenance", metavar="FILE", help="JSON to write, in the folder of --out")
    options.add_arguments(parser, DumpOptions)
    parser.add_argument("--kinds", nargs="+", choices=layers.KINDS, help="only layers of these kinds (default: all)")
    parser.add_argument("--layers", metavar="PATTERN", help="only layers whose name matches, for example 'stage3.*'")
    command.add_device(parser)
    command.add_workers(parser)
    return command.start(parser, argv, writes=["out", "components", "predictions", "provenance"])


def main(argv=None):
    args = parse(argv)
    asked = options.from_arguments(DumpOptions, args)
    attempt = provenance.Attempt()
    from widedeep.analysis import activations
    from widedeep.data import loading
    from widedeep.data.minibatches import minibatches
    from widedeep.formats import dataset, dumps, predictions, weights
    from widedeep.networks.devices import device_named

    device = device_named(args.device)
    attempt.device = provenance.device_name(device)
    network, configuration, training = weights.load(args.model, device)
    description = dataset.describe(args.data)
    weights.check_data(args.model, training, description, args.data)
    chosen = activations.choose(network, args.kinds, args.layers)
    origin = dumps.Origin(str(configuration), training["seed"], description.test_checksum, "test")
    with loading.opened(args.data, "test", args.workers) as test:
        images = test.images[: asked.examples]
        sample_ids = minibatches(len(images), asked.batch_size, asked.passes, asked.seed)
        activations.write_dump(args.out, network, chosen, images, sample_ids, asked.form, origin, device)
        print(f"{args.out}: {len(chosen)} layers, {len(sample_ids)} minibatches of {asked.batch_size}")
        if args.predictions:
            answers = activations.log_probabilities(network, test.images, asked.batch_size, device)
            predictions.write(args.predictions, answers, test.labels, origin)
            print(f"{args.predictions}: accuracy {(answers.argmax(1) == test.labels).mean():.4f}")
        if args.components:
            write_components(args.components, network, chosen, images, asked.batch_size, origin, device)
    if args.provenance:
        made_from = {"weights": files.checksum(args.model), "data_checksum": description.test_checksum}
        settings = {**asked.model_dump(), "kinds": args.kinds, "layers": args.layers, **made_from}
        outputs = [path for path in (args.out, args.components, args.predictions) if path]
        label = origin.model, origin.seed
        provenance.write(args.provenance, "dump", label, settings, [attempt.so_far()], outputs)


def write_components(path, network, chosen, images, batch_size, origin, device):
    """Write the first components of the chosen layers, and warn of those that have not converged."""
    from widedeep.analysis import first_components
    from widedeep.formats import components

    names = [layer.name for layer in chosen]
    with components.creating(path, names, len(images), origin) as found:
        first_components.first_components(network, chosen, images, batch_size, device, found)
        missed = first_components.inexact(found)
    print(f"{path}: first components of {len(chosen)} layers")
    if missed:
        residual, worst = missed[0]
        print(
            f"{path}: warning: {len(missed)} of them have not converged; the worst is that of layer {worst} "
            f"(residual {residual:.1e})"
        )


if __name__ == "__main__":
    command.run(main)
