"""The finding of a comparison and its tables, in the terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # heavy imports wait for the command
    from demix.report.build import Summary


def print_summary(found: "Summary") -> None:
    """Print the finding and its tables."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for table in found.tables:
        grid = Table(
            title=table.caption, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        for index, column in enumerate(table.columns):
            grid.add_column(column, justify="right" if index else "left", overflow="fold")
        for row in table.rows:
            grid.add_row(*row.cells, style="bold" if row.strong else None)
        console.print(grid)
    console.print(f"[bold]{found.headline}[/bold]\n{found.lede}")
