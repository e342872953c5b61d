"""Image files, opened with suspicion: every file that is missing, broken or too large is named at once."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import file_sha256
from mtbench.core.types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What is opened. Pillow knows others that start programs (EPS starts Ghostscript)."""

REBUILD = "Build the benchmark again with --images DIR"


class ImageFileError(MtbenchError):
    """Image files that are there but cannot be read, all of one block of images."""


def files_of(images: Sequence[Image], folder: Path | None) -> dict[str, Path]:
    """The file of each image by id.

    Raises:
        MtbenchError: the benchmark has no image folder, or images without a file; all are named.
    """
    if folder is None:
        raise MtbenchError(f"the benchmark knows no image folder. {REBUILD}")
    problems = Problems(f"images in {folder}", hint=REBUILD)
    home = folder.resolve()
    files: dict[str, Path] = {}
    for image in images:
        path = PurePath(image.path or "")
        if image.path is None:
            problems.add(image.image_id, "the benchmark names no file")
        elif path.is_absolute() or ".." in path.parts:  # a downloaded benchmark must not read elsewhere
            problems.add(image.image_id, f"{image.path} leads out of the image folder")
        elif not (folder / path).is_file():
            problems.add(image.image_id, f"{image.path} does not exist")
        elif not (folder / path).resolve().is_relative_to(home):
            problems.add(image.image_id, f"{image.path} is a link that leads out of the image folder")
        else:
            files[image.image_id] = folder / path
    problems.raise_if_any()
    return files


def open_picture(path: Path, enough: int | None = None) -> Picture:
    """One image as RGB: turned as its EXIF says, transparency on white, the first frame of an animation.

    Args:
        path: the file.
        enough: pixels of the longer side that are wanted; None for the image as it is. A large one is made smaller
            before anything else, to at least these many: each copy of it takes four bytes for each pixel.

    Raises:
        MtbenchError: no image, cut short, or so large that it could be an attack on memory (Pillow's limit).
    """
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd metadata; the pixels are what counts
            with Pillow.open(path, formats=FORMATS) as picture:
                # Pillow only warns of these, and filters of warnings are shared by all threads.
                if picture.width * picture.height > (Pillow.MAX_IMAGE_PIXELS or math.inf):
                    raise Pillow.DecompressionBombError
                turned = ImageOps.exif_transpose(picture if enough is None else _shrunk(picture, enough))
                if "A" in turned.getbands() or "transparency" in turned.info:
                    layers = turned.convert("RGBA")
                    white = Pillow.new("RGBA", layers.size, "white")
                    return Pillow.alpha_composite(white, layers).convert("RGB")
                return turned.convert("RGB")
    except Pillow.DecompressionBombError:
        raise MtbenchError(f"has more than {Pillow.MAX_IMAGE_PIXELS:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise MtbenchError(f"is none of {', '.join(FORMATS)}") from None
    except Exception as error:  # decoders raise all kinds of errors on broken files, of struct and zlib too
        raise MtbenchError(f"cannot be read as an image: {str(error) or type(error).__name__}") from error


def _shrunk(picture: Picture, enough: int) -> Picture:
    """A picture of less than twice as many pixels as are wanted; a small one as it is."""
    from PIL import Image as Pillow

    picture.draft(None, (enough, enough))  # a JPEG need not be decoded whole
    picture.load()  # a TIFF that lies on its side is turned here
    by = max(picture.size) // enough
    if by < 2:
        return picture
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture.reduce(by)
    # To average the others, Pillow copies them whole first: one pixel of many instead
    return picture.resize((max(1, picture.width // by), max(1, picture.height // by)), Pillow.Resampling.NEAREST)


def open_pictures(images: Sequence[Image], folder: Path | None) -> Iterator[Picture]:
    """Every image as RGB, in order. Raises one error for all files that cannot be read, at the end."""
    problems = Problems(f"images in {folder}", hint="Replace these files and run again; what is done is kept")
    for image_id, path in files_of(images, folder).items():
        try:
            yield open_picture(path)
        except MtbenchError as error:
            problems.add(image_id, f"{path.name} {error}")
    try:
        problems.raise_if_any()
    except MtbenchError as error:
        raise ImageFileError(str(error)) from None


def files_sha256(images: Sequence[Image], folder: Path | None, *, progress: bool = False) -> str:
    """One hash of all image files, so that changed pixels mean other features."""
    from tqdm import tqdm

    digest = hashlib.sha256()
    for image_id, path in tqdm(files_of(images, folder).items(), "hashing", disable=not progress, unit="image"):
        try:
            digest.update(f"{image_id}\0{file_sha256(path)}\n".encode())
        except OSError as error:
            raise MtbenchError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()
