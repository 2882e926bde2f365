"""The console script: signals are heard before anything else is imported."""

from harness.common.signals import stop


def main() -> None:
    """Run the command line."""
    with stop.heard():
        from harness.cli import main

        main()


if __name__ == "__main__":
    main()
