"""The archives that `against` serves, and the same files extracted."""

import gzip
import hashlib
import random
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

KIB = 1 << 10
MIB = 1 << 20
COUNTS = [10, 10_000, 100_000]
LARGE = 60 * MIB

# Sizes of the files that are asked for. Every archive has the small one; the others are in the
# archive of ten entries.
SIZES = {
    "small.txt": 4 * KIB,
    "64k.txt": 64 * KIB,
    "1m.txt": MIB,
    "large.txt": LARGE,
    "stored.bin": LARGE,
}


class Archive(NamedTuple):
    file: Path
    extracted: Path


def text(size, seed):
    """Lines of a log, which deflate to about a quarter. A block of 4 MiB is repeated: a match
    reaches 32 KiB back, so that the repetition changes nothing for a decoder of DEFLATE."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9)))
             for _ in range(1000)]
    messages = [" ".join(chance.choices(words, k=chance.randint(4, 12))) for _ in range(400)]
    lines, length = [], 0
    while length < min(size, 4 * MIB):
        line = f"{length:08d} {chance.choice(words)}[{chance.randint(1, 999)}]: "
        line += f"{chance.choice(messages)} {chance.choice(words)}\n"
        lines.append(line)
        length += len(line)
    block = "".join(lines).encode("ascii")
    return (block * (size // len(block) + 1))[:size]


def content(name):
    size = SIZES[name]
    return random.Random(2).randbytes(size) if name == "stored.bin" else text(size, seed=1)


def others(count):
    """Names and contents of the entries that nobody asks for."""
    for number in range(count):
        line = f"file {number}\n".encode("ascii")
        yield f"dist/{number // 100:04d}/file-{number:06d}.txt", line * 10


def write(archive, folder, name, data):
    method = zipfile.ZIP_STORED if name == "stored.bin" else zipfile.ZIP_DEFLATED
    archive.writestr(zipfile.ZipInfo(name), data, method)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make(folder, count):
    """An archive of that many entries, the wanted ones in its middle, and its files in a folder,
    with what servers of files send to who accepts gzip beside the large one."""
    names = list(SIZES) if count == min(COUNTS) else ["small.txt"]
    extracted = folder / f"{count}"
    extracted.mkdir()
    with zipfile.ZipFile(folder / f"{count}.zip", "w") as archive:
        rest = list(others(count - len(names)))
        for name, data in rest[: len(rest) // 2]:
            write(archive, extracted, name, data)
        for name in names:
            write(archive, extracted, name, content(name))
        for name, data in rest[len(rest) // 2:]:
            write(archive, extracted, name, data)
    if "large.txt" in names:
        squeezed = gzip.compress(content("large.txt"), compresslevel=6, mtime=0)
        (extracted / "large.txt.gz").write_bytes(squeezed)


def made(folder, counts):
    """The archives by their number of entries; made again only where this file has changed."""
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    stamp = folder / "version"
    if not stamp.exists() or stamp.read_text() != version:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for count in counts:
        done = folder / f"{count}.made"
        if not done.exists():
            shutil.rmtree(folder / f"{count}", ignore_errors=True)
            make(folder, count)
            done.touch()
    stamp.write_text(version)
    return {count: Archive(folder / f"{count}.zip", folder / f"{count}") for count in counts}
