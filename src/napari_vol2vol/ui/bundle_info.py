"""What a bundle was trained on, its licence and limits: one line, with the rest one click away."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_vol2vol.ui.row import note, section


class BundleInfo(QWidget):
    """A folded section titled with modality and licence; hidden where there is no bundle."""

    def __init__(self) -> None:
        super().__init__()
        self.text = note()
        self.section = section("About this bundle", self.text)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.section)

    def show_card(self, card: Any | None) -> None:
        """Show a `BundleCard`."""
        self.setVisible(card is not None)
        if card is None:
            return
        modality = ", ".join(card.modality) or "any modality"
        self.section.setText(f"{modality} · {card.licence} · limits")
        self.text.setText(
            f"<b>{card.title}</b><br>{card.description}<br><b>Trained on</b> {card.training}<br>"
            f"<b>Limits</b> {card.limits}<br><b>Licence</b> {card.licence}"
        )
