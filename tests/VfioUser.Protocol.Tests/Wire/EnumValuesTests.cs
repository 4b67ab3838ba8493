namespace VfioUser.Protocol.Tests.Wire;

/// <summary>Numbers that leave the process are frozen: name by name, and no name missing here.</summary>
public class EnumValuesTests
{
    [Fact]
    public void Commands_have_the_specified_values() => Frozen<Command, ushort>(
        ("Version", 1), ("DmaMap", 2), ("DmaUnmap", 3), ("DeviceGetInfo", 4), ("DeviceGetRegionInfo", 5),
        ("DeviceGetRegionIoFds", 6), ("DeviceGetIrqInfo", 7), ("DeviceSetIrqs", 8), ("RegionRead", 9), ("RegionWrite", 10),
        ("DmaRead", 11), ("DmaWrite", 12), ("DeviceReset", 13), ("RegionWriteMulti", 15), ("DeviceFeature", 16),
        ("MigDataRead", 17), ("MigDataWrite", 18));

    [Fact]
    public void Message_flags_have_the_specified_values() => Frozen<MessageFlags, uint>(
        ("Command", 0), ("Reply", 1), ("TypeMask", 0xF), ("NoReply", 0x10), ("Error", 0x20));

    [Fact]
    public void Dma_map_flags_have_the_specified_values() => Frozen<DmaMapFlags, uint>(
        ("None", 0), ("Readable", 1), ("Writeable", 2), ("Mmap", 4), ("FileIo", 8));

    [Fact]
    public void Dma_unmap_flags_have_the_specified_values() => Frozen<DmaUnmapFlags, uint>(("None", 0), ("GetDirtyBitmap", 1), ("All", 2));

    [Fact]
    public void Device_flags_have_the_specified_values() => Frozen<DeviceFlags, uint>(("None", 0), ("Reset", 1), ("Pci", 2));

    [Fact]
    public void Region_flags_have_the_specified_values() => Frozen<RegionFlags, uint>(("None", 0), ("Read", 1), ("Write", 2), ("Mmap", 4), ("Caps", 8));

    [Fact]
    public void Region_capability_ids_have_the_specified_values() => Frozen<RegionCapId, ushort>(("SparseMmap", 1), ("Type", 2), ("MsixMappable", 3));

    [Fact]
    public void Io_fd_types_have_the_specified_values() => Frozen<IoFdType, uint>(("IoEventFd", 0), ("IoRegionFd", 1), ("IoEventFdShadow", 2));

    [Fact]
    public void Io_eventfd_flags_have_the_specified_values() => Frozen<IoEventFdFlags, uint>(
        ("None", 0), ("Datamatch", 1), ("Pio", 2), ("Deassign", 4), ("VirtioCcwNotify", 8));

    [Fact]
    public void Io_regionfd_flags_have_the_specified_values() => Frozen<IoRegionFdFlags, uint>(("None", 0), ("Pio", 1), ("PostedWrites", 2));

    [Fact]
    public void Irq_info_flags_have_the_specified_values() => Frozen<IrqInfoFlags, uint>(
        ("None", 0), ("EventFd", 1), ("Maskable", 2), ("AutoMasked", 4), ("NoResize", 8));

    [Fact]
    public void Irq_set_flags_have_the_specified_values() => Frozen<IrqSetFlags, uint>(
        ("None", 0), ("DataNone", 1), ("DataBool", 2), ("DataEventFd", 4), ("ActionMask", 8), ("ActionUnmask", 0x10),
        ("ActionTrigger", 0x20), ("DataTypeMask", 7), ("ActionTypeMask", 0x38));

    [Fact]
    public void Device_feature_ids_have_the_specified_values() => Frozen<DeviceFeatureId, ushort>(
        ("Migration", 1), ("MigDeviceState", 2), ("DmaLoggingStart", 6), ("DmaLoggingStop", 7), ("DmaLoggingReport", 8), ("MigDataSize", 9));

    [Fact]
    public void Device_feature_flags_have_the_specified_values() => Frozen<DeviceFeatureFlags, uint>(
        ("None", 0), ("IndexMask", 0xFFFF), ("Get", 0x10000), ("Set", 0x20000), ("Probe", 0x40000));

    [Fact]
    public void Migration_flags_have_the_specified_values() => Frozen<MigrationFlags, ulong>(("None", 0), ("StopCopy", 1), ("P2P", 2), ("PreCopy", 4));

    [Fact]
    public void Migration_states_have_the_specified_values() => Frozen<MigrationState, uint>(
        ("Error", 0), ("Stop", 1), ("Running", 2), ("StopCopy", 3), ("Resuming", 4), ("RunningP2P", 5), ("PreCopy", 6),
        ("PreCopyP2P", 7));

    [Fact]
    public void Error_numbers_have_the_specified_values() => Frozen<Errno, int>(
        ("None", 0), ("EPERM", 1), ("ENOENT", 2), ("EINTR", 4), ("EIO", 5), ("ENXIO", 6), ("E2BIG", 7), ("EBADF", 9),
        ("EAGAIN", 11), ("ENOMEM", 12), ("EACCES", 13), ("EFAULT", 14), ("EBUSY", 16), ("EEXIST", 17), ("ENODEV", 19),
        ("EINVAL", 22), ("EMFILE", 24), ("ENOSPC", 28), ("EPIPE", 32), ("ERANGE", 34), ("ENOSYS", 38), ("EPROTO", 71),
        ("EBADMSG", 74), ("EOVERFLOW", 75), ("EMSGSIZE", 90), ("EOPNOTSUPP", 95), ("EADDRINUSE", 98), ("ECONNRESET", 104),
        ("ENOTCONN", 107), ("ETIMEDOUT", 110), ("ECONNREFUSED", 111), ("ECANCELED", 125));

    [Fact]
    public void Every_enum_in_a_wire_structure_is_frozen_here_have_the_specified_values()
    {
        IEnumerable<Type> used = LayoutTests.All
            .SelectMany(layout => layout.Type.GetConstructors())
            .SelectMany(constructor => constructor.GetParameters())
            .Select(parameter => parameter.ParameterType)
            .Where(type => type.IsEnum)
            .Distinct();

        used.Should().BeSubsetOf(
        [
            typeof(Command), typeof(MessageFlags), typeof(DmaMapFlags), typeof(DmaUnmapFlags), typeof(DeviceFlags),
            typeof(RegionFlags), typeof(RegionCapId), typeof(IoFdType), typeof(IoEventFdFlags), typeof(IoRegionFdFlags),
            typeof(IrqInfoFlags), typeof(IrqSetFlags), typeof(DeviceFeatureId), typeof(DeviceFeatureFlags),
            typeof(MigrationFlags), typeof(MigrationState), typeof(Errno),
        ]);
    }

    private static void Frozen<TEnum, TNumber>(params (string Name, ulong Value)[] members)
        where TEnum : struct, Enum
    {
        IEnumerable<(string Name, ulong Value)> actual = Enum.GetValues<TEnum>()
            .Select(value => (value.ToString(), Convert.ToUInt64(value, null)));

        Enum.GetUnderlyingType(typeof(TEnum)).Should().Be<TNumber>();
        Enum.GetNames<TEnum>().Should().BeEquivalentTo(members.Select(member => member.Name));
        actual.Should().BeEquivalentTo(members);
    }
}
