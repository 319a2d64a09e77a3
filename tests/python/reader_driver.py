"""A correct driver in Python with one transaction, for tests of drivers under test."""

from wdfdma import Device, DmaTransaction, Profile, Status
from wdfdma.testing.python_drivers import DriverRequest, Hardware


class ReaderDriver:
    """A packet driver of version 3 that has one request under way and the others in a queue."""

    hardware: Hardware
    transaction: DmaTransaction

    def __init__(self) -> None:
        self.queue: list[DriverRequest] = []
        self.request: DriverRequest | None = None
        self.programmed = False
        self.powered = False
        self.empty = 0

    def add_device(self, device: Device, hardware: Hardware) -> object:
        self.hardware = hardware
        enabler = device.enabler(
            Profile.PACKET,
            dma_version=3,
            self_managed_io_start=self.power_up,
            self_managed_io_stop=self.power_down,
        )
        self.transaction = enabler.transaction()
        return None

    def start_request(self, request: DriverRequest) -> None:
        if request.length == 0:
            request.complete_with_information(Status.STATUS_SUCCESS, 0)
            return
        self.queue.append(request)
        self.start_next()

    def cancel_request(self, request: DriverRequest) -> None:
        if request in self.queue:
            self.queue.remove(request)
            request.complete(Status.STATUS_CANCELLED)
        else:
            self.stop()
            self.finish(Status.STATUS_CANCELLED, 0)

    def interrupt(self) -> None:
        ended = self.hardware.get_result(0) if self.programmed else None
        if ended is None:
            return
        self.programmed = False
        self.empty = 0 if ended.length else self.empty + 1
        is_last = ended.status == Status.STATUS_NO_MORE_ENTRIES
        if is_last or not ended.status.is_success or self.empty > 2:
            self.transaction.dma_completed_final(ended.length)
            failure = Status.STATUS_IO_TIMEOUT if ended.status.is_success else ended.status
            self.end(Status.STATUS_SUCCESS if is_last else failure)
            return
        completion = self.transaction.dma_completed_with_length(ended.length)
        if completion.completed:
            self.end(completion.status)

    def remove_device(self) -> None:
        pass

    def start_next(self) -> None:
        if self.request is not None or not self.queue or not self.powered:
            return
        self.request = self.queue.pop(0)
        self.empty = 0
        status = self.transaction.initialize_using_request(
            self.request, direction=self.request.direction, program_dma=self.program_dma
        )
        if status.is_success:
            status = self.transaction.execute()
        if not status.is_success:
            self.end(status)

    def program_dma(self, transaction: DmaTransaction, direction: object, elements: list) -> None:  # type: ignore[type-arg]
        assert self.request is not None
        self.programmed = True
        position = self.request.position + transaction.get_bytes_transferred()
        self.hardware.start(0, position, elements, self.request.direction)

    def end(self, status: Status) -> None:
        """The transaction is over."""
        length = self.transaction.get_bytes_transferred() if status.is_success else 0
        self.finish(status, length)

    def finish(self, status: Status, length: int) -> None:
        request, self.request = self.request, None
        assert request is not None
        self.release()
        request.complete_with_information(status, length)
        self.start_next()

    def release(self) -> None:
        self.transaction.release()

    def stop(self) -> None:
        """Ends what the transaction does."""
        if self.programmed:
            self.programmed = False
            self.hardware.stop(0)
            self.transaction.dma_completed_final(0)
        else:
            self.transaction.cancel()

    def power_up(self, _: object) -> None:
        self.powered = True
        self.start_next()

    def power_down(self, _: object) -> None:
        self.powered = False
        if self.request is not None:
            self.stop()
            self.release()
            self.queue.insert(0, self.request)
            self.request = None
