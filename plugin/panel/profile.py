"""What was chosen on the panel, kept in the user's profile from one start of QGIS to the next."""

from __future__ import annotations

import json

from ...contract.errors import ProtocolError
from ...contract.looks import Finish
from ..digitizing.digitizer import Digitizer
from ..digitizing.hover import Hover
from ..settings import Settings
from .dock import LassoDock

KEPT = ("model", "class_name", "finish", "share_borders", "auto_accept", "hover", "frame", "refine", "learn")


def restore(settings: Settings, dock: LassoDock) -> None:
    """Show what was chosen last."""
    dock.models.model.addItem(settings.model, settings.model)  # until the engine tells all
    dock.class_name.setEditText(settings.class_name)
    for switch, is_on in (
        (dock.options.share_borders, settings.share_borders),
        (dock.options.auto_accept, settings.auto_accept),
        (dock.options.show_hover, settings.hover),
        (dock.options.show_frame, settings.frame),
        (dock.options.refine, settings.refine),
        (dock.options.learn, settings.learn),
    ):
        switch.setChecked(is_on)
    dock.finish.show_finish(_finish(settings.finish))


def remember(settings: Settings, dock: LassoDock, digitizer: Digitizer, hover: Hover) -> None:
    """Keep what is chosen now."""
    lens, acceptance = digitizer.lens, digitizer.acceptance
    settings.model, settings.class_name = lens.model, dock.class_name.currentText()
    settings.finish = json.dumps(lens.finish.to_wire())
    settings.share_borders, settings.auto_accept = acceptance.share_borders, digitizer.auto_accept
    settings.frame = dock.options.show_frame.isChecked()
    settings.hover, settings.refine, settings.learn = hover.enabled, lens.refines, lens.learns
    settings.save(*KEPT)


def _finish(text: str) -> Finish:
    """As traced where nothing is kept, or nothing that can be read."""
    try:
        return Finish.from_wire(json.loads(text or "{}"))
    except (ValueError, ProtocolError, RecursionError):
        return Finish()
