"""Go back to the champion before the present one: `python -m pipelines.rollback MODEL --reason WHY`."""

import argparse

from pipelines.program import run
from pipelines.registry import promotion


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.rollback", description="Go back to the champion before the present one."
    )
    parser.add_argument("model", help="the registered model's name")
    parser.add_argument("--reason", required=True, help="is written into the model's history")
    chosen = parser.parse_args()
    print(promotion.rollback(chosen.model, chosen.reason))


if __name__ == "__main__":
    run(main)
