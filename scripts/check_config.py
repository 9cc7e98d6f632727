"""Check a config, and run nothing: unknown keys, impossible values, code that Snakemake would run.

Examples:
  python scripts/check_config.py config/mine.yaml
"""

from widedeep import command


def main(argv=None):
    parser = command.parser(__doc__)
    parser.add_argument("config", metavar="FILE", help="YAML of a study")
    args = command.start(parser, argv)
    from widedeep import config

    checked = config.read(args.config)
    grid = config.grid(checked)
    networks = sum(map(len, grid.values()))
    print(f"{args.config}: study {checked['study']}, {networks} networks of {len(grid)} configurations")


if __name__ == "__main__":
    command.run(main)
