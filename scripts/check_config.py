"""Check a config without running anything: unknown keys, impossible values, code that Snakemake would run.

Example:
  python scripts/check_config.py config/mine.yaml
"""

from widedeep.runtime import command


def main(argv=None):
    parser = command.parser(__doc__)
    parser.add_argument("config", metavar="FILE", help="YAML of a study")
    args = command.start(parser, argv)
    from widedeep.study import checks

    study = checks.read(args.config)
    networks, configurations = len(study.networks), len(study.configurations)
    print(f"{args.config}: study {study.study}, {networks} networks of {configurations} configurations")


if __name__ == "__main__":
    command.run(main)
