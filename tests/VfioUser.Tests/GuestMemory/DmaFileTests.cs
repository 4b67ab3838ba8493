using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tests;

public class DmaFileTests
{
    private const ulong At = 0x1_0000_0000;
    private const DmaMapFlags ReadWrite = DmaRig.ReadWrite;

    [Fact]
    public void Memory_that_cannot_shrink_is_mapped()
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink);

        rig.Map(ReadWrite, 0, At, 0x1000, file);

        rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.Mapped);
        rig.Dma.TryWrite<uint>(new Iova(At), 0x12345678).Should().BeTrue();
        TestFiles.Content(file, 0, 4).Should().Equal(0x78, 0x56, 0x34, 0x12);
    }

    [Fact]
    public void Memory_that_could_shrink_is_not_mapped_and_its_truncation_only_fails_accesses()
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x3000);
        TestFiles.Fill(file, 0x3000, 0x5A);
        rig.Map(ReadWrite, 0, At, 0x3000, file);
        rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.FileIo);
        rig.Dma.TryLease(new Iova(At), 0x3000, writable: true, out DmaLease lease).Should().BeTrue();

        TestFiles.Truncate(file, 0x1800);

        byte[] bytes = [1, 1];
        rig.Dma.TryRead(new Iova(At + 0x17FF), bytes).Should().BeFalse("half of it is there");
        bytes.Should().Equal(0, 0);
        rig.Dma.TryRead(new Iova(At + 0x2000), out byte _).Should().BeFalse();
        rig.Dma.TryAccess(new Iova(At + 0x2000), 1, writable: false, 0, (_, _) => { }).Should().BeFalse();
        byte[] leased = [1, 1];
        lease.TryRead(0x17FF, leased).Should().BeFalse();
        leased.Should().Equal(0, 0);
        lease.Dispose();
        rig.Dma.TryRead(new Iova(At + 0x17FE), out ushort value).Should().BeTrue("what is left can be read");
        value.Should().Be(0x5A5A);
    }

    [Fact]
    public void A_client_that_is_trusted_has_its_memory_mapped_without_a_seal()
    {
        using DmaRig rig = new(server: new VfioUserServerOptions { TrustClientMemory = true });
        using SafeFileHandle file = TestFiles.Memory(0x1000);

        rig.Map(ReadWrite, 0, At, 0x1000, file);

        rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.Mapped);
    }

    [Theory]
    [InlineData(0x0FFF, 0, 0x1000)]
    [InlineData(0x1000, 1, 0x1000)]
    [InlineData(0x1000, 0x1000, 1)]
    [InlineData(0x1000, 0x2000, 1)]
    [InlineData(0, 0, 1)]
    public void A_map_beyond_the_end_of_its_file_is_refused(int length, ulong offset, ulong size)
    {
        foreach (bool trust in new[] { false, true })
        {
            foreach (int seals in new[] { 0, TestFiles.SealShrink })
            {
                using DmaRig rig = new(server: new VfioUserServerOptions { TrustClientMemory = trust });
                string name = OpenFiles.UniqueName();
                using SafeFileHandle file = TestFiles.Memory(length, seals, name);

                Refused(rig, ReadWrite, offset, At, size, file).Should().Be(Errno.EINVAL);

                OpenFiles.Descriptors(name).Should().Be(1, "the server has closed its own");
                rig.Dma.Regions.Should().BeEmpty();
            }
        }
    }

    [Theory]
    [InlineData(DmaMapFlags.None)]
    [InlineData(DmaMapFlags.FileIo)]
    [InlineData(DmaMapFlags.Mmap)]
    public void An_offset_that_overflows_is_refused(DmaMapFlags way)
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink);

        Refused(rig, ReadWrite | way, ulong.MaxValue - 0xFFF, At, 0x1000, file).Should().Be(Errno.EINVAL);
        Refused(rig, ReadWrite | way, ulong.MaxValue, At, 0x1000, file).Should().Be(Errno.EINVAL);
        Refused(rig, ReadWrite | way, long.MaxValue, At, 0x1000, file).Should().Be(Errno.EINVAL);
        Refused(rig, ReadWrite | way, 0x1000, 0, ulong.MaxValue, file).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void A_map_can_begin_within_a_page_of_its_file()
    {
        foreach (DmaMapFlags way in new[] { DmaMapFlags.None, DmaMapFlags.FileIo })
        {
            using DmaRig rig = new();
            using SafeFileHandle file = TestFiles.Memory(0x3000, TestFiles.SealShrink);

            rig.Map(ReadWrite | way, 0x1234, At, 0x1000, file);
            rig.Dma.TryWrite(new Iova(At), (byte)0x11).Should().BeTrue();
            rig.Dma.TryWrite(new Iova(At + 0xFFF), (byte)0x22).Should().BeTrue();

            TestFiles.Content(file, 0x1233, 2).Should().Equal(0, 0x11);
            TestFiles.Content(file, 0x2233, 2).Should().Equal(0x22, 0);
        }
    }

    [Fact]
    public void A_file_that_may_not_be_written_cannot_be_mapped_for_writing()
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink);
        using SafeFileHandle readOnly = TestFiles.Reopen(file, TestFiles.ReadOnly);

        Refused(rig, ReadWrite, 0, At, 0x1000, readOnly).Should().Be(Errno.EACCES);
        rig.Map(DmaMapFlags.Readable, 0, At, 0x1000, readOnly);
        rig.Map(ReadWrite | DmaMapFlags.FileIo, 0, At + 0x1000, 0x1000, readOnly);

        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At + 0x1000), out byte _).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(At + 0x1000), (byte)1).Should().BeFalse();
    }

    [Fact]
    public void Memory_that_is_sealed_against_writing_is_refused_for_writing_and_mapped_for_reading()
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink | TestFiles.SealWrite);

        Refused(rig, ReadWrite, 0, At, 0x1000, file).Should().Be(Errno.EPERM);
        rig.Map(ReadWrite | DmaMapFlags.FileIo, 0, At, 0x1000, file);
        rig.Map(DmaMapFlags.Readable, 0, At + 0x1000, 0x1000, file);

        rig.Dma.TryWrite(new Iova(At), (byte)1).Should().BeFalse();
        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At + 0x1000), out byte _).Should().BeTrue();
    }

    [Theory]
    [InlineData("/tmp")]
    [InlineData("/dev/shm")]
    public void A_plain_file_is_read_and_written_with_system_calls(string folder)
    {
        string path = Path.Combine(folder, OpenFiles.UniqueName());
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite);
            TestFiles.Truncate(file, 0x2000);
            using DmaRig rig = new();

            rig.Map(ReadWrite, 0x1000, At, 0x1000, file);

            rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.FileIo);
            rig.Dma.TryWrite(new Iova(At + 1), (byte)0x77).Should().BeTrue();
            TestFiles.Content(file, 0x1000, 2).Should().Equal(0, 0x77);
            TestFiles.Truncate(file, 0);
            rig.Dma.TryRead(new Iova(At + 1), out byte _).Should().BeFalse();
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_surplus_descriptor_is_closed_and_a_missing_one_refused()
    {
        using DmaRig rig = new();
        string name = OpenFiles.UniqueName();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink, name);
        byte[] request = new byte[DmaMap.WireSize];
        WireFormat.Write(request, new DmaMap(DmaMap.WireSize, ReadWrite, 0, At, 0x1000));

        rig.Client.Call(Command.DmaMap, request, default, [file, file]).Dispose();
        rig.Client.UnmapDma(At, 0x1000);
        Refused(rig, ReadWrite | DmaMapFlags.FileIo, 0, At, 0x1000, null).Should().Be(Errno.EINVAL);
        Refused(rig, ReadWrite | DmaMapFlags.Mmap, 0, At, 0x1000, null).Should().Be(Errno.EINVAL);

        OpenFiles.Descriptors(name).Should().Be(1);
    }

    [Fact]
    public void A_map_over_a_map_is_refused_and_its_descriptor_closed()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x2000);
        string name = OpenFiles.UniqueName();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink, name);

        Refused(rig, ReadWrite, 0, At + 0x1000, 0x1000, file).Should().Be(Errno.EEXIST);

        OpenFiles.Descriptors(name).Should().Be(1);
        rig.Dma.Regions.Should().HaveCount(1);
    }

    private static Errno Refused(DmaRig rig, DmaMapFlags flags, ulong offset, ulong address, ulong size, SafeFileHandle? file) =>
        rig.Invoking(it => it.Map(flags, offset, address, size, file)).Should().Throw<VfioUserException>().Which.Errno;
}
