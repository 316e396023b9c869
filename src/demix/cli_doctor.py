"""`demix doctor`: what is installed and what it runs on. The command only translates."""

import typer


def doctor() -> None:
    """Print what is installed, the devices that were found, which one is used, and why a GPU is not."""
    from demix.doctor import diagnose

    found = diagnose()
    typer.echo(f"machine   {found.machine}")
    for name, version in found.versions.items():
        typer.echo(f"package   {name} {version}")
    for gpu in found.gpus or ["none (NVIDIA)"]:
        typer.echo(f"GPU       {gpu}")
    for device in found.devices:
        typer.echo(f"device    {device}{', used' if device == found.used else ''}")
    for remark in found.remarks:
        typer.echo(f"remark    {remark}")
