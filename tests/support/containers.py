"""Pack bytes into every container that a load opens."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pyarrow


def pack_zip(name, content, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", options.get("compression", zipfile.ZIP_DEFLATED)) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def pack_tar(name, content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


CONTAINERS = {
    "zip": pack_zip,
    "stored zip": lambda name, content: pack_zip(name, content, compression=zipfile.ZIP_STORED),
    "zip with a folder": lambda name, content: pack_zip(f"week 49/{name}", content),
    "tar": pack_tar,
    "tar with a folder": lambda name, content: pack_tar(f"./export/{name}", content),
    "gz": lambda _, content: gzip.compress(content, mtime=0),
    "bz2": lambda _, content: bz2.compress(content),
    "xz": lambda _, content: lzma.compress(content),
    "zst": lambda _, content: bytes(pyarrow.compress(content, codec="zstd", asbytes=True)),
    "tar.gz": lambda name, content: gzip.compress(pack_tar(name, content), mtime=0),
    "tar.xz": lambda name, content: lzma.compress(pack_tar(name, content)),
    "tar.bz2": lambda name, content: bz2.compress(pack_tar(name, content)),
}
"""For each container, a function of a member's name and content that returns the bytes of the container."""
