using System.Reflection;

namespace VfioUser.Protocol.Tests.Wire;

/// <summary>Offset and size of every field, as in the tables of the specification (of libvfio-user where it has none).</summary>
public class LayoutTests
{
    internal static readonly Layout[] All =
    [
        Layout.Of<MessageHeader>(
            16,
            new("MessageId", 0, 2), new("Command", 2, 2), new("MessageSize", 4, 4), new("Flags", 8, 4),
            new("Error", 12, 4)),
        Layout.Of<ProtocolVersion>(4, new("Major", 0, 2), new("Minor", 2, 2)),
        Layout.Of<DmaMap>(
            32,
            new("Argsz", 0, 4), new("Flags", 4, 4), new("Offset", 8, 8), new("Address", 16, 8), new("Size", 24, 8)),
        Layout.Of<DmaUnmap>(24, new("Argsz", 0, 4), new("Flags", 4, 4), new("Address", 8, 8), new("Size", 16, 8)),
        Layout.Of<DirtyBitmap>(16, new("PageSize", 0, 8), new("Size", 8, 8)),
        Layout.Of<DmaAccess>(16, new("Address", 0, 8), new("Count", 8, 8)),
        Layout.Of<DeviceInfo>(
            16,
            new("Argsz", 0, 4), new("Flags", 4, 4), new("RegionCount", 8, 4), new("IrqCount", 12, 4)),
        Layout.Of<RegionInfo>(
            32,
            new("Argsz", 0, 4), new("Flags", 4, 4), new("Index", 8, 4), new("CapOffset", 12, 4), new("Size", 16, 8),
            new("Offset", 24, 8)),
        Layout.Of<RegionCapHeader>(8, new("Id", 0, 2), new("Version", 2, 2), new("Next", 4, 4)),
        Layout.Of<SparseMmap>(8, new("AreaCount", 0, 4), new("Reserved", 4, 4)),
        Layout.Of<SparseMmapArea>(16, new("Offset", 0, 8), new("Size", 8, 8)),
        Layout.Of<RegionType>(8, new("Type", 0, 4), new("Subtype", 4, 4)),
        Layout.Of<RegionIoFds>(16, new("Argsz", 0, 4), new("Flags", 4, 4), new("Index", 8, 4), new("Count", 12, 4)),
        Layout.Of<IoEventFd>(
            40,
            new("Offset", 0, 8), new("Size", 8, 8), new("FdIndex", 16, 4), new("Type", 20, 4), new("Flags", 24, 4),
            new("Padding", 28, 4), new("Datamatch", 32, 8)),
        Layout.Of<IoRegionFd>(
            40,
            new("Offset", 0, 8), new("Size", 8, 8), new("FdIndex", 16, 4), new("Type", 20, 4), new("Flags", 24, 4),
            new("Padding", 28, 4), new("UserData", 32, 8)),
        Layout.Of<IoEventFdShadow>(
            48,
            new("GpaOffset", 0, 8), new("Size", 8, 8), new("FdIndex", 16, 4), new("Type", 20, 4),
            new("Flags", 24, 4), new("ShadowMemFdIndex", 28, 4), new("ShadowOffset", 32, 8),
            new("Datamatch", 40, 8)),
        Layout.Of<IrqInfo>(16, new("Argsz", 0, 4), new("Flags", 4, 4), new("Index", 8, 4), new("Count", 12, 4)),
        Layout.Of<IrqSet>(
            20,
            new("Argsz", 0, 4), new("Flags", 4, 4), new("Index", 8, 4), new("Start", 12, 4), new("Count", 16, 4)),
        Layout.Of<RegionAccess>(16, new("Offset", 0, 8), new("Region", 8, 4), new("Count", 12, 4)),
        Layout.Of<RegionWriteMulti>(8, new Field("WriteCount", 0, 8)),
        Layout.Of<RegionWriteMultiEntry>(
            24,
            new("Offset", 0, 8), new("Region", 8, 4), new("Count", 12, 4), new("Data", 16, 8)),
        Layout.Of<DeviceFeature>(8, new("Argsz", 0, 4), new("Flags", 4, 4)),
        Layout.Of<MigrationFeature>(8, new Field("Flags", 0, 8)),
        Layout.Of<MigrationDeviceState>(8, new("State", 0, 4), new("DataFd", 4, 4)),
        Layout.Of<DmaLoggingControl>(16, new("PageSize", 0, 8), new("RangeCount", 8, 4), new("Reserved", 12, 4)),
        Layout.Of<DmaLoggingRange>(16, new("Iova", 0, 8), new("Length", 8, 8)),
        Layout.Of<DmaLoggingReport>(24, new("Iova", 0, 8), new("Length", 8, 8), new("PageSize", 16, 8)),
        Layout.Of<MigrationDataSize>(8, new Field("StopCopyLength", 0, 8)),
        Layout.Of<PreCopyInfo>(24, new("Argsz", 0, 4), new("Flags", 4, 4), new("InitialBytes", 8, 8), new("DirtyBytes", 16, 8)),
        Layout.Of<MigrationData>(8, new("Argsz", 0, 4), new("Size", 4, 4)),
    ];

    public static TheoryData<Layout> Layouts => new(All);

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Fields_are_where_the_specification_has_them(Layout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);

        layout.Verify();
    }

    [Fact]
    public void Every_wire_structure_is_in_the_table()
    {
        IEnumerable<Type> wireStructures = typeof(MessageHeader).Assembly.GetExportedTypes()
            .Where(type => type.IsValueType && type.GetField("WireSize", BindingFlags.Public | BindingFlags.Static) is not null);

        IEnumerable<Type> covered = All.Select(layout => layout.Type);

        covered.Should().BeEquivalentTo(wireStructures);
    }
}
