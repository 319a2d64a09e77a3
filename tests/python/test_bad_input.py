"""Input that is not well: one clear error, with the place, the value and the rule, before anything runs."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wdfdma import Machine, ScenarioError, read_journal
from wdfdma.cli import cli
from wdfdma.cli_ends import BAD_INPUT

HEAD = b"WDJ\x01\0\0\0\0"


def invoke(*arguments: object) -> Result:
    """The command with [arguments], which no exception leaves."""
    texts = [str(item) for item in arguments]
    return CliRunner().invoke(cli, texts, standalone_mode=False, catch_exceptions=False)


def get_refusal(*arguments: object) -> str:
    """What the command says of input that it refuses: one line, and nothing else."""
    result = invoke(*arguments)
    assert (result.return_value, result.stdout) == (BAD_INPUT, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.strip()


@pytest.mark.parametrize("length", [2**63 - 1, 2**64 - 1, 2**40, 5])
def test_a_journal_whose_head_tells_of_too_much_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "t4"
    path.write_bytes(HEAD + length.to_bytes(8, "little") + bytes(4))
    why = f"its head tells of {length} bytes, and 4 follow it"
    expected = f"{path}: a journal that is damaged or cut off: {why}"
    assert get_refusal("export", path, "--to", "json") == expected


@pytest.mark.parametrize("data", [b"", b"WDJ\x01", b"a text that is no journal, but long enough"])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "text"
    path.write_bytes(data)
    with pytest.raises(ScenarioError) as caught:
        read_journal(path)
    assert str(caught.value) == f"{path}: not a journal"


def test_a_journal_with_any_byte_wrong_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.wdj"
    with Machine(map_registers=4, journal=path) as machine:
        enabler = machine.device().enabler("packet", maximum_length=8192, dma_version=3)
        transaction = enabler.transaction()
        transaction.initialize(machine.mdl(5000), program_dma=lambda *_: None)
        transaction.execute()
    data = path.read_bytes()
    end = 16 + int.from_bytes(data[8:16], "little")
    read_journal(path)
    refused: list[str] = []
    for at in range(16, end):
        for value in (0, 0x7F, 0x80, 0xFF):
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 : end])
            try:
                read_journal(path)
            except ScenarioError as error:
                refused.append(str(error))
    assert len(refused) > end - 16
    assert all(text.startswith(f"{path}: ") for text in refused)
