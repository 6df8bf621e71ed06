"""The command line `rasterlasso`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..models import registry, weights
from ..models.published import PUBLISHED, published
from . import api, doctor, replay
from .errors import BenchmarkUnavailable, NothingFound, PromptError, PromptMissing, RasterLassoError
from .export import Record, check_output, write
from .ops import PRESETS
from .prompts import Box, Point, Prompts
from .prompts_file import PromptedObject, read_prompts_file
from .version import version

EXIT_FAILED = 2
EXIT_INTERRUPTED = 130

COORDINATE_OPTIONS = ("--point", "--not", "--box", "--area", "--levels")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 on an error (one line on standard error), 130 on Ctrl+C."""
    arguments = _parser().parse_args(_join_coordinates(sys.argv[1:] if argv is None else argv))
    warnings.showwarning = _show_warning
    try:
        return int(arguments.run(arguments))
    except RasterLassoError as error:
        print(f"rasterlasso: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("rasterlasso: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("rasterlasso", description="Segment features of satellite and aerial imagery.")
    parser.add_argument("--version", action="version", version=f"rasterlasso {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_segment(commands.add_parser("segment", help="clicks or boxes on a raster to polygons in a file"))
    _add_encode(commands.add_parser("encode", help="encode a raster's tiles ahead, so that no click waits for it"))
    _add_replay(commands.add_parser("replay", help="segment a layer's features again on other imagery or with another model"))
    _add_bench(commands.add_parser("bench", help="measure models on labelled scenes"))
    _add_models(commands.add_parser("models", help="list, add and remove models"))
    commands.add_parser("doctor", help="look whether the engine can work here").set_defaults(run=_doctor)
    return parser


def _add_segment(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Segment one object by --point, --not and --box, or many by --prompts, and write the polygons. X comes first "
        "(east, longitude), in the raster's CRS or in --crs."
    )
    command.epilog = (
        'A prompts file is JSON: {"crs": "EPSG:4326", "objects": [{"points": [[x, y, true], [x, y, false]], '
        '"box": [x0, y0, x1, y1], "properties": {"class": "lake"}}]}; crs, box and properties may be left out.'
    )
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    command.add_argument("--point", metavar="X,Y", type=_numbers(2), action="append", default=[], help="a click on the object")
    command.add_argument(
        "--not", metavar="X,Y", type=_numbers(2), action="append", default=[], dest="background", help="a click beside it"
    )
    command.add_argument("--box", metavar="X0,Y0,X1,Y1", type=_numbers(4), help="a box around the object")
    command.add_argument("--prompts", metavar="FILE", type=Path, help="prompts of many objects, see below")
    command.add_argument("--crs", metavar="EPSG:n", help="CRS of the coordinates (default: the raster's)")
    command.add_argument("--model", default=registry.DEFAULT_MODEL, help="see `rasterlasso models` (default: %(default)s)")
    command.add_argument("--finish", choices=list(PRESETS), default="raw", help="how outlines are drawn (default: %(default)s)")
    command.add_argument("--level", type=int, help="0 is native resolution, each next one half of it; negative ones oversample")
    command.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=".gpkg, .shp, .geojson, .fgb or .parquet"
    )
    command.set_defaults(run=_segment)


def _add_encode(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Encode tiles and keep them on disk, where QGIS and the other commands find them. Interrupted, it goes on where it "
        "stopped. The folder is RASTERLASSO_CACHE, or one of your caches; it can be copied to another machine."
    )
    command.add_argument("image", metavar="IMAGE", help="a raster that GDAL opens")
    command.add_argument("--model", default=registry.DEFAULT_MODEL, help="see `rasterlasso models` (default: %(default)s)")
    command.add_argument(
        "--levels",
        metavar="A,B,…",
        type=_levels,
        help="0 is native resolution, each next one half of it (default: 0 and coarser)",
    )
    command.add_argument("--area", metavar="X0,Y0,X1,Y1", type=_numbers(4), help="in the raster's CRS (default: all)")
    command.set_defaults(run=_encode)


def _add_replay(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Segment each feature of a layer again, by the prompts that it was made with (its field `prompts`), and write what is "
        "found beside the old layer, with the IoU of old and new: what has changed since."
    )
    command.add_argument("layer", metavar="LAYER", type=Path, help="a file that Raster Lasso's polygons were saved to")
    command.add_argument("--image", metavar="IMAGE", required=True, help="the raster to look at now")
    command.add_argument("--layer-name", metavar="NAME", help="the layer within the file (default: the only one)")
    command.add_argument("--model", help="see `rasterlasso models` (default: the one that each feature was made with)")
    command.add_argument("--finish", choices=list(PRESETS), default="raw", help="how outlines are drawn (default: %(default)s)")
    command.add_argument("-o", "--output", metavar="OUT", type=Path, help="default: beside LAYER, its name with -replayed")
    command.set_defaults(run=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    layer: Path = arguments.layer
    output = arguments.output or layer.with_name(f"{layer.stem}-replayed{layer.suffix}")
    check_output(output)
    features = replay.read(layer, arguments.layer_name)
    shown = _Progress(sys.stderr, 1, 1)
    rows = []
    for row in replay.replayed(features, arguments.image, arguments.model, PRESETS[arguments.finish]):
        rows.append(row)
        shown(f"feature {len(rows)} of {len(features)}", len(rows) / len(features))
    shown.clear()
    replay.write(features, rows, output)
    found = [row.iou for row in rows if row.iou is not None]
    print(f"{output}: {len(found)} of {len(rows)} found again, mean IoU with the old {sum(found) / max(len(found), 1):.2f}")
    return 0


def _encode(arguments: argparse.Namespace) -> int:
    with api.open(arguments.image, arguments.model) as scene:
        done = total = 0
        shown = _Progress(sys.stderr, 1, 1)
        for done, total in scene.encode(arguments.levels, arguments.area):
            shown(f"tile {done} of {total}", done / total)
        shown.clear()
    print(f"{arguments.image}: {total} tiles are encoded")
    return 0


def _levels(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _add_models(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_list_models)
    actions = command.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="what there is (this is also what `models` alone does)")
    add = actions.add_parser("add", help="copy a model among ours")
    add.add_argument(
        "path", metavar="PATH", type=Path, help="a folder with config.json and model.safetensors, or the authors' .pt or .pth"
    )
    add.add_argument("--name", help="what to call it (default: the name of the folder or file)")
    add.set_defaults(run=_add_model)
    get = actions.add_parser("get", help="download published weights and add them")
    get.add_argument(
        "name", metavar="NAME", choices=[each.name for each in PUBLISHED], help=", ".join(p.name for p in PUBLISHED)
    )
    get.add_argument("--yes", action="store_true", help="do not ask about hashes that are not known here")
    get.set_defaults(run=_get_model)
    for name, run, description in (
        ("accelerate", _accelerate_model, "convert its encoder for OpenVINO, and use that from then on if it is faster here"),
        ("verify", _verify_model, "compare a model's files with the hashes noted when it was added"),
        ("remove", _remove_model, "delete an added model"),
    ):
        action = actions.add_parser(name, help=description)
        action.add_argument("name", metavar="NAME")
        action.set_defaults(run=run)


def _add_bench(command: argparse.ArgumentParser) -> None:
    benchmarks = command.add_subparsers(required=True, metavar="BENCHMARK")
    clicks = benchmarks.add_parser("clicks", help="how many clicks each labelled object takes")
    clicks.add_argument("scenes", metavar="SCENES_DIR", type=Path, help="a folder of scenes: NAME/image.tif, NAME/labels.gpkg")
    clicks.add_argument("--model", action="append", default=[], help="may be given several times (default: builtin)")
    clicks.add_argument("--baselines", action="store_true", help="also GrabCut, flood fill and random walker")
    clicks.add_argument("--learn", action="store_true", help="also let the models learn from object to object")
    clicks.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes at once; times are then not to be trusted"
    )
    clicks.add_argument("--limit", type=int, metavar="N", help="at most N objects of each scene, for a quick look")
    clicks.add_argument("--json", type=Path, metavar="FILE", help="all trials and figures")
    clicks.add_argument("--resume", action="store_true", help="keep what an interrupted run wrote to the --json file")
    clicks.add_argument("--pictures", type=Path, metavar="FOLDER", help="curves.png and contact-sheet.png")
    clicks.set_defaults(run=_bench_clicks)


def _bench_clicks(arguments: argparse.Namespace) -> int:
    try:
        from ..benchmarks import clicks

        return clicks.run(arguments)
    except ModuleNotFoundError as error:
        raise BenchmarkUnavailable(module=error.name or "its files") from error


def _segment(arguments: argparse.Namespace) -> int:
    check_output(arguments.output)
    crs, objects = _objects(arguments)
    with api.open(arguments.image, arguments.model, arguments.level) as scene:
        if scene.crs_wkt is None:
            print(f"rasterlasso: {arguments.image} has no CRS; the polygons are in its own coordinates", file=sys.stderr)
        records = []
        for number, each in enumerate(objects, 1):
            try:
                shown = _Progress(sys.stderr, number, len(objects))
                found = _segment_object(scene, each, arguments.crs or crs, arguments.finish, shown)
            except (PromptError, NothingFound) as error:
                if len(objects) == 1:
                    raise
                print(f"rasterlasso: object {number}: {error}", file=sys.stderr)
                continue
            records.append(Record.of(found, str(arguments.image), each.properties, each.prompts, arguments.crs or crs))
            area = "" if records[-1].area_m2 is None else f", {records[-1].area_m2:,.1f} m²"
            print(f"{number}: score {found.score:.2f}, level {found.level}{area}, {found.seconds:.2f} s")
        if records:
            write(records, scene.crs_wkt, arguments.output)
            print(f"{arguments.output}: {len(records)} polygon{'s' if len(records) > 1 else ''}")
    return 0 if len(records) == len(objects) else EXIT_FAILED


def _segment_object(
    scene: api.Scene, each: PromptedObject, crs: str | None, finish: str, progress: _Progress
) -> api.Segmentation:
    try:
        return scene.ask(each.prompts, crs, PRESETS[finish], progress)
    finally:
        progress.clear()


def _objects(arguments: argparse.Namespace) -> tuple[str | None, list[PromptedObject]]:
    if arguments.prompts is not None:
        return read_prompts_file(arguments.prompts)
    points = [Point(x, y, True) for x, y in arguments.point] + [Point(x, y, False) for x, y in arguments.background]
    prompts = Prompts(tuple(points), None if arguments.box is None else Box(*arguments.box))
    if not prompts.has_foreground:
        raise PromptMissing()
    return None, [PromptedObject(prompts, {})]


def _list_models(arguments: argparse.Namespace) -> int:
    for each in registry.entries():
        print(f"{each.name}\t{each.title}\t{each.licence}\t{each.description}")
    return 0


def _add_model(arguments: argparse.Namespace) -> int:
    added = weights.add(arguments.path, arguments.name)
    print(f"added {added.name}, SHA-256 of its weights {added.sha256[weights.WEIGHTS]}")
    return 0


def _get_model(arguments: argparse.Namespace) -> int:
    wanted = published(arguments.name)
    print(f"{wanted.repository}, licence: {wanted.licence}", file=sys.stderr)
    shown = _DownloadProgress(sys.stderr)

    def confirm(sha256: str) -> bool:
        shown.clear()
        print(f"SHA-256 of the weights: {sha256}\nIt is not known here. Compare it with the one on the hub.", file=sys.stderr)
        return arguments.yes or (sys.stdin.isatty() and input("Install? [y/N] ").strip().lower() == "y")

    added = weights.get(wanted, shown, confirm)
    shown.clear()
    print(f"added {added.name}")
    return 0


def _accelerate_model(arguments: argparse.Namespace) -> int:
    print("Converting and measuring: a minute or two.", file=sys.stderr)
    found = registry.accelerate(arguments.name)
    use = "OpenVINO is used from now on" if found.pays else "torch stays in use"
    print(f"torch {1000 * found.torch_seconds:.0f} ms a tile, OpenVINO {1000 * found.openvino_seconds:.0f} ms: {use}")
    return 0


def _verify_model(arguments: argparse.Namespace) -> int:
    weights.verify(arguments.name)
    print(f"{arguments.name} is as it was added")
    return 0


def _remove_model(arguments: argparse.Namespace) -> int:
    weights.remove(arguments.name)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    healthy = True
    for finding in doctor.examine():
        healthy &= finding.ok
        print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.detail}")
    return 0 if healthy else EXIT_FAILED


class _Progress:
    """Shows the stage on a terminal, nothing elsewhere."""

    def __init__(self, stream: TextIO, number: int, total: int) -> None:
        self._stream = stream if stream.isatty() else None
        self._prefix = f"{number}/{total}"

    def __call__(self, stage: str, fraction: float) -> None:
        if self._stream:
            self._stream.write(f"\r\033[K{self._prefix} {stage} {fraction:.0%}")
            self._stream.flush()

    def clear(self) -> None:
        if self._stream:
            self._stream.write("\r\033[K")


class _DownloadProgress:
    """Megabytes on one line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None

    def __call__(self, done: int, total: int | None) -> None:
        if self._stream:
            of = "" if total is None else f" of {total / 1e6:.0f}"
            self._stream.write(f"\r\033[K{done / 1e6:.0f}{of} MB")
            self._stream.flush()

    def clear(self) -> None:
        if self._stream:
            self._stream.write("\r\033[K")


def _numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    def parse(text: str) -> tuple[float, ...]:
        numbers = tuple(float(part) for part in text.split(","))
        if len(numbers) != count:
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers separated by commas")
        return numbers

    parse.__name__ = f"{count} numbers"
    return parse


def _join_coordinates(argv: list[str]) -> list[str]:
    """`--point -105,40` as `--point=-105,40`: argparse takes a leading minus for an option."""
    joined: list[str] = []
    for argument in argv:
        if joined and joined[-1] in COORDINATE_OPTIONS:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _show_warning(message: Warning | str, category: type[Warning], *where: object, **more: object) -> None:
    if issubclass(category, UserWarning):
        print(f"rasterlasso: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
