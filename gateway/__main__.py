"""``python -m gateway`` and the ``gateway`` command."""

from gateway.serving.garbage_collection import excluded_from_collection


def main() -> None:
    """Run the command that the arguments name."""
    with excluded_from_collection():
        from gateway import cli  # noqa: PLC0415  # its imports are what is left out

    cli.main()


if __name__ == "__main__":
    main()
