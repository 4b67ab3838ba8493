using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Dirty page tracking. Nothing is written to the memory.</summary>
/// <remarks>The memory has no descriptor: the server accesses it by DMA messages, and the client itself sees what is written.</remarks>
internal static class DirtyPagesRules
{
    private const string ReportHeading = "VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT";
    private const string UnmapHeading = "linux/vfio.h, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP";
    private const ulong Address = 0x40_0000_0000;
    private const ulong Page = 4096;
    private const ulong Small = 16 * Page;
    private const ulong Large = 64ul << 30;

    // QEMU's proposal, with the migration object that is no longer specified
    private static readonly byte[] WithBitmaps = Proposal.Of(
        """{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"pgsizes":4096,"write_multiple":true,"migration":{"pgsize":4096,"max_bitmap_size":268435456}}}""");

    public static Topic Topic { get; } = new("Dirty pages",
    [
        new("dirty-without-descriptor", ReportHeading, "Memory that was mapped without a descriptor has a report, too.", subject =>
            Ask(subject, Small, Report, "QEMU requests a report of each ROM, which it maps without one")),
        new("dirty-large", ReportHeading, "A report of 64 GiB, 2 MiB of bits, comes in one reply if max_bitmap_size allows it.", subject =>
            Ask(subject, Large, Report, "a report of more than max_data_xfer_size is what max_bitmap_size is for")),
        new("dirty-unmap", UnmapHeading, "An unmap can request the dirty pages of the range.", subject =>
            Ask(subject, Small, Unmap, "QEMU requests it for each unmap during a migration, and continues without those dirty pages")),
        new("dirty-unmap-large", UnmapHeading, "So can an unmap of 64 GiB, 2 MiB of bits, if max_bitmap_size allows it.", subject =>
            Ask(subject, Large, Unmap, "an unmap cannot be done in parts")),
    ]);

    private static Finding Ask(Subject subject, ulong length, Func<Conversation, ulong, int, (Answer Answer, int HeaderSize)> ask, string why)
    {
        using Conversation session = subject.Open(WithBitmaps);
        int bitmap = (int)Math.Max(length / Page / 8, sizeof(ulong));
        if (length == Large && (session.Server.Migration?.MaxBitmapSize ?? 0) < (ulong)bitmap)
            return Finding.NotServed("max_bitmap_size is less, or absent");
        if (session.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, Address, length)) is { IsError: true } map)
            return Finding.NotServed($"a map of 0x{length:x} bytes without a descriptor is {map.Refusal}");
        if (Start(session, length) is { IsError: true } start)
            return Finding.NotServed($"the log of dirty pages is {start.Refusal}");
        (Answer answer, int headerSize) = ask(session, length, bitmap);
        session.Ask(Command.DeviceFeature,
        [
            .. Bytes.Of(new DeviceFeature(DeviceFeature.WireSize + DmaLoggingControl.WireSize, DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingStop)),
            .. Bytes.Of(new DmaLoggingControl(0, 0, 0)),
        ]);
        // has no effect if an unmap has returned the bitmap
        session.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Address, length));
        session.StaysInSync();
        if (answer.IsError)
            return Finding.Warning($"it is {answer.Refusal}; {why}");
        // the specification calls the flags of an unmap unused
        if (answer.Header.Command == Command.DmaUnmap && answer.Payload.Length == DmaUnmap.WireSize)
            return Finding.Warning($"it is done, but the reply has no bitmap; {why}");
        return answer.Payload.Length == headerSize + bitmap ? Finding.Passed : throw new BrokenRuleException($"the reply has {answer.Payload.Length} bytes of payload, not {headerSize + bitmap}");
    }

    private static Answer Start(Conversation session, ulong length) => session.Ask(Command.DeviceFeature,
    [
        .. Bytes.Of(new DeviceFeature(DeviceFeature.WireSize + DmaLoggingControl.WireSize + DmaLoggingRange.WireSize, DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingStart)),
        .. Bytes.Of(new DmaLoggingControl(Page, 1, 0)), .. Bytes.Of(new DmaLoggingRange(Address, length)),
    ]);

    private static (Answer Answer, int HeaderSize) Report(Conversation session, ulong length, int bitmap)
    {
        const int HeaderSize = DeviceFeature.WireSize + DmaLoggingReport.WireSize;
        return (session.Ask(Command.DeviceFeature,
        [
            .. Bytes.Of(new DeviceFeature((uint)(HeaderSize + bitmap), DeviceFeatureFlags.Get | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingReport)),
            .. Bytes.Of(new DmaLoggingReport(Address, length, Page)),
        ]), HeaderSize);
    }

    private static (Answer Answer, int HeaderSize) Unmap(Conversation session, ulong length, int bitmap)
    {
        const int HeaderSize = DmaUnmap.WireSize + DirtyBitmap.WireSize;
        return (session.Ask(Command.DmaUnmap,
        [
            .. Bytes.Of(new DmaUnmap((uint)(HeaderSize + bitmap), DmaUnmapFlags.GetDirtyBitmap, Address, length)),
            .. Bytes.Of(new DirtyBitmap(Page, (ulong)bitmap)),
        ]), HeaderSize);
    }
}
