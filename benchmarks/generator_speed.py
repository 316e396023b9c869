"""How many times faster than they sound songs are generated, on one core, once notes and phrases are kept.

    python benchmarks/generator_speed.py [SONGS] [CACHE]

Every song is made twice, the second time is counted: processor time of composing, singing, playing, mixing and writing
FLAC. Read the figure on a machine that does nothing else.
"""

import sys
import tempfile
import time
from pathlib import Path

from demix.data.free import find_songs
from demix.files import read_record
from demix.generate.make import Plan, make_song, open_studio, song_folder
from demix.generate.song_files import RECORD_FILE
from demix.training.allocator import keep_freed_memory


def main(songs: int, cache: Path) -> None:
    """Print the figure for each song and for all of them."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(Path(folder), songs, seed=1, vocals=(find_songs(),), loops=(), cache=cache)
        studio = open_studio(plan)
        heard = spent = 0.0
        for number in range(songs):
            make_song(plan, number, studio)
            begin = time.process_time()
            make_song(plan, number, studio)
            needed = time.process_time() - begin
            record = read_record(song_folder(plan, number) / RECORD_FILE)
            heard, spent = heard + record["seconds"], spent + needed
            print(f"{record['style']:16s} {record['seconds']:6.1f} s in {needed:5.2f} s")
    print(f"{songs} songs: {heard / spent:.1f} times real time on one core")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(int(arguments[0]) if arguments else 8, Path(arguments[1] if len(arguments) > 1 else "data/temp/generate"))
