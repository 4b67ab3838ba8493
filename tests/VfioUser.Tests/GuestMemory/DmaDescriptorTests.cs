using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaDescriptorTests
{
    private const ulong At = 0x1_0000_0000;
    private readonly BlankDevice _device = new(blank => blank.KeepsDmaDescriptors = true);
    private readonly string _name = OpenFiles.UniqueName();

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    public void A_duplicate_is_of_the_memory_itself_and_the_callers(GuestMemoryKind kind)
    {
        using DmaRig rig = new(kind, device: _device);
        SharedMemory guest = rig.Map(At, 0x3000);

        rig.Dma.TryDuplicateDescriptor(new Iova(At + 0x1000), 0x2000, out SafeFileHandle file, out long offset).Should().BeTrue();

        offset.Should().Be(0x1000);
        using SharedMemory other = SharedMemory.Map(file, (ulong)offset, 0x2000);
        other.Slice(0x1FFF, 1)[0] = 0x42;
        guest.Slice(0x2FFF, 1)[0].Should().Be(0x42);
        rig.Dma.TryWrite(new Iova(At + 0x1000), (byte)7).Should().BeTrue();
        other.Slice(0, 1)[0].Should().Be(7);
    }

    [Fact]
    public void The_offset_is_that_of_the_address_in_the_file()
    {
        using DmaRig rig = new(device: _device);
        using SharedMemory memory = SharedMemory.Create(0x8000);
        rig.Map(DmaRig.ReadWrite, offset: 0x4000, At, 0x1000, memory.File);

        rig.Dma.TryDuplicateDescriptor(new Iova(At + 0x123), 1, out SafeFileHandle file, out long offset).Should().BeTrue();

        using (file)
            offset.Should().Be(0x4123);
    }

    [Fact]
    public void Memory_by_message_has_none()
    {
        using DmaRig rig = new(GuestMemoryKind.TwinSocket, device: _device);
        rig.Map(At, 0x1000);

        rig.Dma.TryDuplicateDescriptor(new Iova(At + 8), 1, out SafeFileHandle file, out long offset)
            .Should().Be(new DmaResult(DmaStatus.NoDescriptor, new Iova(At + 8)));

        file.IsInvalid.Should().BeTrue();
        offset.Should().Be(0);
    }

    [Theory]
    [InlineData(At, 0x1001, DmaStatus.NotContiguous, At + 0x1000)]
    [InlineData(At + 0x1000, 0x1001, DmaStatus.NotMapped, At + 0x2000)]
    [InlineData(At, ulong.MaxValue, DmaStatus.AddressOverflow, At)]
    [InlineData(At, ulong.MaxValue - At + 1, DmaStatus.NotContiguous, At + 0x1000)]
    [InlineData(ulong.MaxValue, 2, DmaStatus.AddressOverflow, ulong.MaxValue)]
    [InlineData(At - 1, 1, DmaStatus.NotMapped, At - 1)]
    public void Ranges_that_leave_the_region_are_refused(ulong address, ulong length, DmaStatus status, ulong where)
    {
        using DmaRig rig = new(device: _device);
        rig.Map(At, 0x1000, name: _name);
        rig.Map(At + 0x1000, 0x1000, name: _name);
        int open = OpenFiles.Descriptors(_name);

        rig.Dma.TryDuplicateDescriptor(new Iova(address), length, out SafeFileHandle file, out _).Should().Be(new DmaResult(status, new Iova(where)));

        file.IsInvalid.Should().BeTrue();
        OpenFiles.Descriptors(_name).Should().Be(open);
    }

    [Fact]
    public void Without_bus_mastering_and_without_a_client_there_is_none()
    {
        _device.RequiresBusMaster = true;
        _device.Dma.TryDuplicateDescriptor(new Iova(At), 1, out _, out _).Should().Be(DmaStatus.Disconnected);
        using DmaRig rig = new(device: _device);
        rig.Map(At, 0x1000);

        rig.Dma.TryDuplicateDescriptor(new Iova(At), 1, out _, out _).Should().Be(DmaStatus.BusMasterOff);
    }

    [Fact]
    public void A_device_that_does_not_keep_them_is_told_at_the_call()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000, name: _name);

        rig.Dma.Invoking(dma => dma.TryDuplicateDescriptor(new Iova(At), 1, out _, out _)).Should().Throw<InvalidOperationException>();
        OpenFiles.Descriptors(_name).Should().Be(1, "only the client has it open");
        rig.Device.Invoking(device => device.KeepsDmaDescriptors = true).Should().Throw<InvalidOperationException>("it is being served");
    }

    [Fact]
    public void One_descriptor_is_kept_for_a_file_until_its_last_region_is_unmapped_and_a_duplicate_outlives_it()
    {
        using DmaRig rig = new(device: _device);
        using SharedMemory memory = SharedMemory.Create(0x3000, _name);
        for (ulong i = 0; i < 3; i++)
            rig.Map(DmaRig.ReadWrite, i * 0x1000, At + i * 0x1000, 0x1000, memory.File);
        OpenFiles.Descriptors(_name).Should().Be(2);
        rig.Dma.TryDuplicateDescriptor(new Iova(At), 0x1000, out SafeFileHandle file, out _).Should().BeTrue();
        using (file)
        {
            rig.Client.UnmapAllDma();

            OpenFiles.Descriptors(_name).Should().Be(2, "the client's and the duplicate are left");
            rig.Dma.TryDuplicateDescriptor(new Iova(At), 1, out _, out _).Should().Be(DmaStatus.NotMapped);
            memory.Slice(0, 1)[0] = 0x5A;
            TestFiles.Content(file, 0, 1).Should().Equal(0x5A);
        }
        OpenFiles.Descriptors(_name).Should().Be(1);
    }

    [Fact]
    public void Read_only_memory_gives_the_clients_descriptor()
    {
        using DmaRig rig = new(device: _device);
        rig.Map(At, 0x1000, DmaMapFlags.Readable).Slice(1, 1)[0] = 9;

        rig.Dma.TryDuplicateDescriptor(new Iova(At + 1), 1, out SafeFileHandle file, out long offset).Should().BeTrue();

        using (file)
            TestFiles.Content(file, (ulong)offset, 1).Should().Equal(9);
    }
}
