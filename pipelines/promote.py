"""Make a version the champion, if the gate lets it pass: `python -m pipelines.promote MODEL --reason WHY`."""

import argparse

from pipelines.program import run
from pipelines.registry import promotion


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.promote", description="Make a version the champion, if the gate lets it pass."
    )
    parser.add_argument("model", help="the registered model's name")
    parser.add_argument("--version", help="its number; the candidate unless given")
    parser.add_argument("--against-the-gate", action="store_true", help="whatever the gate says; that is written down")
    parser.add_argument("--reason", required=True, help="is written into the model's history")
    chosen = parser.parse_args()
    print(promotion.promote(chosen.model, chosen.version, chosen.reason, chosen.against_the_gate))


if __name__ == "__main__":
    run(main)
