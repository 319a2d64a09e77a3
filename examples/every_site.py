"""A driver's reading path fails at each of its calls once, and each time the transaction must be gone afterwards.

Run it: python examples/every_site.py
"""

import tempfile
from pathlib import Path

from wdfdma import DmaEnabler, Machine, Profile, SiteLog, Status, StatusError, Waiting


def read(enabler: DmaEnabler, machine: Machine) -> Status:
    """Reads one buffer; what it has made is gone again, whatever fails."""
    try:
        transaction = enabler.transaction()
    except StatusError as error:
        return error.status
    status = transaction.initialize(
        machine.mdl(8192), program_dma=lambda transfer, *_: transfer.dma_completed()
    )
    if status.is_success:
        status = transaction.execute()
        if transaction.get_info().waiting != Waiting.NOT:  # for registers that are not to be had
            transaction.cancel()
            status = Status.STATUS_CANCELLED
        transaction.release()
    transaction.delete()
    return status


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        SiteLog(Path(folder) / "sites.log") as log,
        Machine() as machine,
    ):
        enabler = machine.device().enabler(
            Profile.SCATTER_GATHER, maximum_length=65536, dma_version=3
        )
        ready = machine.snapshot()
        sites = machine.faults.every_site(log)
        failed = -1
        while failed < sites.failed:
            failed = sites.failed
            print(f"the read answers {read(enabler, machine).name}")
            assert not machine.check_leaks(enabler)
            machine.restore(ready)
        print("\nwhat failed where:")
        for fault in log:
            print(f"  {fault.call} {fault.status.name if fault.status else ''} at {fault.site}")


if __name__ == "__main__":
    main()
