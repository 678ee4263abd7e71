"""Arms and cases: from folders, files and layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Study
from napari_vol2vol.ui.designer.draft import (
    plain_name,
    with_arm,
    with_file,
    with_folder,
    without_arm,
    without_cases,
)
from napari_vol2vol.ui.designer.tab import Tab, chosen_rows, fill, table
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.layer_volume import volume_of
from napari_vol2vol.ui.row import Row

if TYPE_CHECKING:
    from napari.components import ViewerModel


class CasesTab(Tab):
    """A table of cases by arms. Layers are saved into the study's folder when they are entered."""

    def __init__(self, study: Study, viewer: ViewerModel) -> None:
        super().__init__(study)
        self.folder = Path()
        self.arm_name, self.generated = QLineEdit(), QCheckBox("generated")
        self.arm_name.setPlaceholderText("name of a system")
        self.generated.setChecked(True)
        self.lines.addWidget(
            Row("Arm", self.arm_name, self.generated, tip="What is compared with the real volumes")
        )
        self.add_buttons(("Add arm", "", self.add_arm), ("Remove arm", "With its volumes", self.remove_arm))
        self.arm = QComboBox()
        self.lines.addWidget(Row("Volumes of", self.arm, tip="The arm that volumes are entered for"))
        self.add_buttons(
            ("Add folder …", "All NIfTI files; equal names are the same case", self.choose_folder),
            ("Add file …", "One volume as one case", self.choose_file),
        )
        self.layer, self.case_name = LayerChoice(viewer), QLineEdit()
        self.case_name.setPlaceholderText("case")
        self.lines.addWidget(
            Row("Layer", self.layer, self.case_name, tip="A layer as a volume of the named case")
        )
        self.add_buttons(("Add layer", "Saves it into the study's folder", self.add_layer))
        self.cases = table("case")
        self.lines.addWidget(self.cases, stretch=1)
        self.add_buttons(("Remove chosen cases", "", self.remove_cases))
        self.show_study(study)

    def show_study(self, study: Study) -> None:
        """Show arms and cases."""
        super().show_study(study)
        names = [arm.name for arm in study.arms]
        kept = self.arm.currentText()
        self.arm.clear()
        self.arm.addItems(names)
        if kept in names:
            self.arm.setCurrentText(kept)
        self.cases.setColumnCount(1 + len(names))
        titles = [f"{a.name} (generated)" if a.generated else a.name for a in study.arms]
        self.cases.setHorizontalHeaderLabels(["case", *titles])
        files = [
            [Path(c.volumes[n].path).name if n in c.volumes else "–" for n in names] for c in study.cases
        ]
        fill(self.cases, [[c.name, *row] for c, row in zip(study.cases, files, strict=True)])
        self.cases.resizeColumnsToContents()

    def add_arm(self) -> None:
        """Add the named arm."""
        name = plain_name(self.arm_name.text())
        if self.change(lambda: with_arm(self.study, name, generated=self.generated.isChecked())):
            self.arm.setCurrentText(name)
            self.arm_name.clear()

    def remove_arm(self) -> None:
        """Remove the arm that volumes are entered for."""
        self.change(lambda: without_arm(self.study, self.arm.currentText()))

    def choose_folder(self) -> None:
        """Ask for a folder."""
        if text := QFileDialog.getExistingDirectory(self, f"Volumes of {self.arm.currentText()}"):
            self.add_folder(Path(text))

    def add_folder(self, folder: Path) -> None:
        """Enter all volumes of a folder."""
        self.change(lambda: with_folder(self.study, folder, self.arm.currentText()))

    def choose_file(self) -> None:
        """Ask for a file."""
        if text := QFileDialog.getOpenFileName(self, "Volume", filter="NIfTI (*.nii *.nii.gz)")[0]:
            case = self.case_name.text() or Path(text).name.split(".")[0]
            self.change(
                lambda: with_file(self.study, case, self.arm.currentText(), str(Path(text).resolve()))
            )

    def add_layer(self) -> None:
        """Save the chosen layer and enter it."""
        self.change(self._with_layer)

    def remove_cases(self) -> None:
        """Remove the chosen cases."""
        names = [self.study.cases[row].name for row in chosen_rows(self.cases)]
        self.change(lambda: without_cases(self.study, names))

    def _with_layer(self) -> Study:
        from napari_vol2vol.io import write_volume

        layer, arm = self.layer.layer, self.arm.currentText()
        if layer is None:
            raise SettingsError("layer: found none, accepted is an image layer")
        if not self.folder.is_absolute():
            raise SettingsError("study: found no folder, accepted is one chosen above")
        case = plain_name(self.case_name.text() or layer.name)
        path = self.folder / "volumes" / arm / f"{case}.nii.gz"
        changed = with_file(self.study, case, arm, str(path.relative_to(self.folder)))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(replace(volume_of(layer), name=case), path, overwrite=True)
        return changed
