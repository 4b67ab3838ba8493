using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Valid messages of every command, to be mutated.</summary>
internal static class Corpus
{
    /// <summary>How large what the client shares is; and that is all the memory that there is to map.</summary>
    public const ulong FileSize = 0x10000;

    /// <summary>Fields get these more often than others, being on some border.</summary>
    public static readonly ulong[] Borders =
    [
        0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 63, 64, 65, 0x7F, 0xFF, 0x100, 0xFFC, 0xFFF, 0x1000, 0x1001, 0x3FFF, 0x4000, 0x7FFF,
        0x8000, 0xFFFF, 0x10000, 0x10001, 0xF_FFFF, 0x10_0000, 0x10_0001, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000,
        0x7FFF_FFFF_FFFF_F000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_F000, ulong.MaxValue,
    ];

    public static readonly byte[][] Messages = [.. All()];

    /// <summary>Those that descriptors belong to.</summary>
    public static readonly byte[][] WithDescriptors = [.. Messages.Where(message =>
        WireFormat.Read<MessageHeader>(message) is { IsCommand: true, Command: Command.DmaMap or Command.DeviceSetIrqs })];

    private static IEnumerable<byte[]> All()
    {
        yield return Of(Command.Version, Served.Version(0, 1, "{}"));
        for (uint index = 0; index < 9; index++)
            yield return Of(Command.DeviceGetRegionInfo, new RegionInfo(index % 2 == 0 ? 32u : 80u, 0, index, 0, 0, 0));
        for (uint index = 0; index < 5; index++)
            yield return Of(Command.DeviceGetIrqInfo, new IrqInfo(16, 0, index, 0));
        yield return Of(Command.DeviceGetInfo, new DeviceInfo(16, 0, 0, 0));
        yield return Of(Command.DeviceGetRegionInfo, new RegionInfo(80, 0, FuzzedDevice.OwnRegion, 0, 0, 0));
        foreach (uint region in (uint[])[0, 2, 3, 4, 7, FuzzedDevice.OwnRegion])
        {
            yield return Of(Command.DeviceGetRegionIoFds, new RegionIoFds(16, 0, region, 0));
            yield return Of(Command.DeviceGetRegionIoFds, new RegionIoFds(4096, 0, region, 0));
        }
        yield return Of(Command.DeviceReset);
        foreach (byte[] message in Interrupts().Concat(Accesses()).Concat(Memory()).Concat(Features()).Concat(Uncalled()))
            yield return message;
    }

    private static IEnumerable<byte[]> Interrupts()
    {
        foreach (uint flags in (uint[])[0x21, 0x22, 0x24, 0x09, 0x0A, 0x0C, 0x11, 0x12, 0x14])
        {
            for (uint type = 0; type < 5; type++)
            {
                uint count = type is 1 or 2 ? 4u : 1;
                yield return Of(Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, (IrqSetFlags)flags, type, 0, count), new byte[(flags & 2) == 0 ? 0 : count]));
            }
        }
        yield return Of(Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x21, 2, 0, 0));
        yield return Of(Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 32, 16));
    }

    private static IEnumerable<byte[]> Accesses()
    {
        for (uint region = 0; region <= FuzzedDevice.OwnRegion; region++)
        {
            foreach (uint count in (uint[])[1, 4, 8, 64])
            {
                yield return Of(Command.RegionRead, new RegionAccess(0, region, count));
                yield return Of(Command.RegionRead, new RegionAccess(0x10, region, count));
                yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(4, region, count), new byte[count]));
                yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0x40, region, count), [.. Enumerable.Repeat((byte)0xFF, (int)count)]));
            }
        }
        yield return Of(Command.RegionRead, new RegionAccess(0, 7, 256));
        yield return Of(Command.RegionRead, new RegionAccess(FuzzedDevice.Throw, 0, 4));
        yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(FuzzedDevice.Throw, 0, 4), new byte[4]));
        yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(FuzzedDevice.Interrupt, 0, 1), 3));
        for (byte callback = 1; callback <= FuzzedDevice.Callbacks; callback++)
            yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(FuzzedDevice.ThrowLater, 0, 1), callback));
        yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(FuzzedDevice.IoEventFdOffset, 0, 4), new byte[4]));
        yield return Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0x1000, 3, 4), [1, 2, 3, 4]));
        for (ulong page = 0; page < 4; page++)
            yield return Touch(page);
        for (int count = 0; count < 6; count++)
        {
            yield return Of(Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti((ulong)count),
                [.. Enumerable.Range(0, count).SelectMany(at => RawClient.Bytes(new RegionWriteMultiEntry(FuzzedDevice.IoEventFdOffset + 8 * (ulong)at, 0, 4, (ulong)at)))]));
        }
        yield return Of(Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(3), [
            .. RawClient.Bytes(new RegionWriteMultiEntry(0, 0, 8, 1)),
            .. RawClient.Bytes(new RegionWriteMultiEntry(FuzzedDevice.Interrupt, 0, 1, 5)),
            .. RawClient.Bytes(new RegionWriteMultiEntry(0, 4, 4, 7)),
        ]));
    }

    // few addresses, so that maps meet each other and are found again
    private static IEnumerable<byte[]> Memory()
    {
        for (ulong page = 0; page < 8; page++)
        {
            foreach (uint flags in (uint[])[3, 3, 1, 2, 7, 11])
                yield return Of(Command.DmaMap, new DmaMap(32, (DmaMapFlags)flags, page % 2 * 0x1000, page * FileSize, FileSize - page % 2 * 0x1000));
            yield return Of(Command.DmaUnmap, new DmaUnmap(24, 0, page * FileSize, FileSize - page % 2 * 0x1000));
            yield return Of(Command.DmaUnmap, new DmaUnmap(24, 0, page * FileSize, FileSize - page % 2 * 0x1000));
        }
        yield return Of(Command.DmaUnmap, new DmaUnmap(24, DmaUnmapFlags.All, 0, 0));
        for (ulong page = 0; page < 4; page++)
            yield return UnmapWithBitmap(page);
        yield return Of(Command.DmaUnmap, new DmaUnmap(24, DmaUnmapFlags.All | DmaUnmapFlags.GetDirtyBitmap, 0, 0));
    }

    // every feature with every method, and some that do not exist
    private static IEnumerable<byte[]> Features()
    {
        foreach (uint feature in (uint[])[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xFFFF])
        {
            foreach (uint methods in (uint[])[1, 2, 4, 5, 6])
                yield return Of(Command.DeviceFeature, RawClient.Bytes(new DeviceFeature(64, (DeviceFeatureFlags)((methods << 16) | feature)), new byte[8]));
        }
        yield return Of(PreCopyInfo.Command, new PreCopyInfo(PreCopyInfo.WireSize, 0, 0, 0));
        foreach (MigrationState state in Enum.GetValues<MigrationState>())
            yield return SetState(state);
        yield return StartLogging(0x1000);
        yield return StartLogging(0x1000, new DmaLoggingRange(0, FileSize));
        yield return StartLogging(0x10000, new DmaLoggingRange(0, FileSize), new DmaLoggingRange(2 * FileSize, FileSize), new DmaLoggingRange(1ul << 40, 1ul << 40));
        yield return StopLogging();
        for (ulong page = 0; page < 4; page++)
            yield return Report(page * FileSize, FileSize, 0x1000);
        yield return Report(0, 8 * FileSize, 0x1000);
        yield return Report(0, 1ul << 35, 0x1000);
        foreach (uint size in (uint[])[0, 8, 64, 4000, 65536])
        {
            yield return ReadState(size);
            if (size <= 4000)
                yield return WriteState(new byte[size]);
        }
    }

    public static byte[] SetState(MigrationState state) => Feature(DeviceFeatureFlags.Set, DeviceFeatureId.MigDeviceState, new MigrationDeviceState(state, 0));

    public static byte[] ReadState(uint size) => Of(Command.MigDataRead, new MigrationData(MigrationData.WireSize + size, size));

    public static byte[] WriteState(ReadOnlySpan<byte> data) =>
        Of(Command.MigDataWrite, RawClient.Bytes(new MigrationData((uint)(MigrationData.WireSize + data.Length), (uint)data.Length), data));

    public static byte[] StartLogging(ulong pageSize, params DmaLoggingRange[] ranges) =>
        Feature(DeviceFeatureFlags.Set, DeviceFeatureId.DmaLoggingStart, new DmaLoggingControl(pageSize, (uint)ranges.Length, 0),
            [.. ranges.SelectMany(range => RawClient.Bytes(range))]);

    public static byte[] StopLogging() => Of(Command.DeviceFeature, new DeviceFeature(8, DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingStop));

    public static byte[] Report(ulong first, ulong length, ulong pageSize) =>
        Feature(DeviceFeatureFlags.Get, DeviceFeatureId.DmaLoggingReport, new DmaLoggingReport(first, length, pageSize));

    /// <summary>The device uses the memory of a page.</summary>
    public static byte[] Touch(ulong page) =>
        Of(Command.RegionWrite, RawClient.Bytes(new RegionAccess(FuzzedDevice.TouchMemory, 0, 8), BitConverter.GetBytes(page * FileSize)));

    public static byte[] UnmapWithBitmap(ulong page) =>
        Of(Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(24 + 16 + 8, DmaUnmapFlags.GetDirtyBitmap, page * FileSize, FileSize), RawClient.Bytes(new DirtyBitmap(0x1000, 8))));

    public static byte[] Reset() => Of(Command.DeviceReset);

    private static byte[] Feature<T>(DeviceFeatureFlags method, DeviceFeatureId feature, T data, params ReadOnlySpan<byte> more)
        where T : unmanaged => Of(Command.DeviceFeature, RawClient.Bytes(new DeviceFeature(0x1_0000, method | (DeviceFeatureFlags)feature), RawClient.Bytes(data, more)));

    // what only the server says, or nobody, and answers to it
    private static IEnumerable<byte[]> Uncalled()
    {
        yield return Of(Command.DmaRead, new DmaAccess(0, 8));
        yield return Of(Command.DmaWrite, RawClient.Bytes(new DmaAccess(0, 8), new byte[8]));
        foreach (uint number in (uint[])[0, 14, 19, 20, 0x100, 0xFFFF])
            yield return Of((Command)number, new byte[16]);
        for (ushort id = 0x100; id < 0x800; id += 0x100)
        {
            yield return RawClient.Message(id, Command.DmaRead, RawClient.Bytes(new DmaAccess(0, 100), new byte[100]), MessageFlags.Reply);
            yield return RawClient.Message(id, Command.DmaWrite, RawClient.Bytes(new DmaAccess(0, 100)), MessageFlags.Reply);
            yield return RawClient.Message(
                new MessageHeader(id, Command.DmaRead, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.ENODEV));
        }
    }

    private static byte[] Of(Command command, params ReadOnlySpan<byte> payload) => RawClient.Message(1, command, payload);

    private static byte[] Of<T>(Command command, T payload)
        where T : unmanaged => Of(command, RawClient.Bytes(payload));
}
