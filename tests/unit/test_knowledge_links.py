"""A link that leads out of the knowledge folder is not knowledge."""

from pathlib import Path

from bot.knowledge.imports import stamps


def test_a_link_that_leads_out_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    folder, outside = tmp_path / "knowledge", tmp_path / "private.txt"
    folder.mkdir()
    outside.write_text("nobody's business")
    (folder / "own.txt").write_text("ours")
    (folder / "inside.txt").symlink_to(folder / "own.txt")
    (folder / "outside.txt").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    assert set(stamps(folder)) == {"own.txt", "inside.txt"}
