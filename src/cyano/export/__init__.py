"""The networks as ONNX graphs for programs without torch (docs/how-to/export.md)."""

from __future__ import annotations

from cyano.export.options import ExportOptions
from cyano.export.run import Export, export_networks

__all__ = ["Export", "ExportOptions", "export_networks"]
