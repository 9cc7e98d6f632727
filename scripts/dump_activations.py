"""Dump what every layer of a trained network computes on the test set: minibatches, first components, predictions.

The form `gram` keeps, for each layer and minibatch, the Gram matrix of the centred activations: all that linear CKA
needs, at a size that does not depend on the width. `raw` keeps the activations (float32), `raw16` in half precision.
--components writes each layer's first principal component over the whole test set as well, --predictions the
logarithm of each class's probability, --provenance what was made from what, by which code, where and when.

Example (after the example of scripts/train.py --help):
  python scripts/dump_activations.py results/one/resnet14/model.safetensors --data data/digits/dataset.h5 \\
      --batch-size 64 --out results/one/resnet14/activations.h5 --components results/one/resnet14/pca.h5
"""

from widedeep import command, files, layers, provenance


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("model", metavar="WEIGHTS", help="model.safetensors of scripts/train.py")
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5 of scripts/download.py")
    parser.add_argument("--out", required=True, metavar="FILE", help="activations.h5 to write")
    parser.add_argument("--components", metavar="FILE", help="pca.h5 to write")
    parser.add_argument("--predictions", metavar="FILE", help="predictions.h5 to write")
    parser.add_argument("--provenance", metavar="FILE", help="JSON to write, in the folder of --out")
    parser.add_argument("--form", default="gram", choices=["gram", "raw", "raw16"], help="default: gram")
    parser.add_argument(
        "--batch-size", type=command.positive_int, default=256, help="examples a minibatch (default: 256)"
    )
    parser.add_argument("--passes", type=command.positive_int, default=10, help="through the test set (default: 10)")
    parser.add_argument("--examples", type=command.positive_int, help="only the first of the test set (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the order of examples; the study's, not the network's")
    parser.add_argument("--kinds", nargs="+", choices=layers.KINDS, help="only layers of these kinds (default: all)")
    parser.add_argument("--layers", metavar="PATTERN", help="only layers whose name matches, as 'stage3.*'")
    parser.add_argument("--device", default="auto", help="cuda, mps, cpu or auto (default)")
    command.add_workers(parser)
    return command.start(parser, argv, writes=["out", "components", "predictions", "provenance"])


def main(argv=None):
    args = parse(argv)
    attempt = provenance.Attempt()
    from widedeep import components, data, dumps, models, pca, predictions, sweep, weights

    device = models.device_named(args.device)
    attempt.device = provenance.device_name(device)
    network, model, training = weights.load(args.model, device)
    description = data.describe(args.data)
    weights.check_data(args.model, training, description, args.data)
    chosen = sweep.choose(network, args.kinds, args.layers)
    origin = dumps.Origin(str(model), training["seed"], description.test_checksum, "test")
    with data.opened(args.data, "test", args.workers) as test:
        images = test.images[: args.examples]
        sample_ids = dumps.minibatches(len(images), args.batch_size, args.passes, args.seed)
        sweep.write_dump(args.out, network, chosen, images, sample_ids, args.form, origin, device)
        print(f"{args.out}: {len(chosen)} layers, {len(sample_ids)} minibatches of {args.batch_size}")
        if args.predictions:
            answers = sweep.log_probabilities(network, test.images, args.batch_size, device)
            predictions.write(args.predictions, answers, test.labels, origin)
            print(f"{args.predictions}: accuracy {(answers.argmax(1) == test.labels).mean():.4f}")
        if args.components:
            names = [layer.name for layer in chosen]
            with components.creating(args.components, names, len(images), origin) as first:
                pca.first_components(network, chosen, images, args.batch_size, device, first)
                missed = pca.inexact(first)
            print(f"{args.components}: first components of {len(chosen)} layers")
            if missed:
                residual, worst = missed[0]
                print(
                    f"{args.components}: warning: {len(missed)} of them are not exact, least that of layer {worst} "
                    f"(residual {residual:.1e})"
                )
    if args.provenance:
        chosen_by = ("form", "batch_size", "passes", "examples", "seed", "kinds", "layers")
        made_from = {"weights": files.checksum(args.model), "data_checksum": description.test_checksum}
        settings = {**{key: getattr(args, key) for key in chosen_by}, **made_from}
        outputs = [path for path in (args.out, args.components, args.predictions) if path]
        of = origin.model, origin.seed
        provenance.write(args.provenance, "dump", of, settings, [attempt.so_far()], outputs)


if __name__ == "__main__":
    command.run(main)
