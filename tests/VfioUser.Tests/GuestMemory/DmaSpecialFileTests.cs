using System.IO.Pipes;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Descriptors that are no files of memory. None may hang the server, kill it, or be read like a file.</summary>
public class DmaSpecialFileTests
{
    private const ulong At = 0x1_0000_0000;

    public static TheoryData<string> Kinds() => ["pipe", "eventfd", "socket", "directory", "terminal", "zero"];

    [Fact]
    public void The_memory_of_a_process_can_be_given_for_system_calls()
    {
        nint memory = Marshal.AllocHGlobal(16);
        try
        {
            Marshal.WriteInt64(memory, 0x1122334455667788);
            using SafeFileHandle process = TestFiles.Open("/proc/self/mem", TestFiles.ReadWrite);
            using DmaRig rig = new();

            rig.Map(DmaRig.ReadWrite | DmaMapFlags.FileIo, (ulong)memory, At, 16, process);

            rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.FileIo);
            rig.Dma.TryRead(new Iova(At), out long value).Should().BeTrue();
            value.Should().Be(0x1122334455667788);
            rig.Dma.TryWrite<ulong>(new Iova(At + 8), 0x0102030405060708).Should().BeTrue();
            Marshal.ReadInt64(memory + 8).Should().Be(0x0102030405060708L);
        }
        finally
        {
            Marshal.FreeHGlobal(memory);
        }
    }

    [Fact]
    public void Access_to_an_unmapped_address_of_a_process_fails()
    {
        using SafeFileHandle process = TestFiles.Open("/proc/self/mem", TestFiles.ReadWrite);
        using DmaRig rig = new();

        rig.Map(DmaRig.ReadWrite | DmaMapFlags.FileIo, 0, At, 0x1000, process);

        rig.Dma.TryRead(new Iova(At), out long _).Should().BeFalse();
        rig.Dma.TryWrite<ulong>(new Iova(At), 1).Should().BeFalse();
    }

    [Fact]
    public void The_memory_of_a_process_has_no_size_and_cannot_be_mapped()
    {
        using SafeFileHandle process = TestFiles.Open("/proc/self/mem", TestFiles.ReadWrite);
        using DmaRig rig = new();

        rig.Invoking(it => it.Map(DmaRig.ReadWrite, 0x1000, At, 0x1000, process)).Should().Throw<VfioUserException>()
            .Which.Errno.Should().Be(Errno.EINVAL);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task File_io_on_a_special_file_is_refused(string kind)
    {
        using DmaRig rig = new();
        using Special special = new(kind);

        Func<Task> map = () => Background.Run(() => rig.Map(DmaRig.ReadWrite | DmaMapFlags.FileIo, 0, At, 0x1000, special.Handle))
            .WaitAsync(Background.Timeout);

        (await map.Should().ThrowAsync<VfioUserException>()).Which.Errno.Should().Be(Errno.EINVAL);
        rig.Map(At, 0x1000);
        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeTrue("the session lives on");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Special_files_are_not_mapped_and_memory_is_accessed_by_messages(string kind)
    {
        using DmaRig rig = new(GuestMemoryKind.TwinSocket);
        using Special special = new(kind);

        rig.Map(DmaRig.ReadWrite, 0, At, 0x1000, special.Handle);

        rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.Message);
        Task<bool> read = Background.Run<bool>(() => rig.Dma.TryRead(new Iova(At), out byte _));
        (await read.WaitAsync(Background.Timeout)).Should().BeFalse("this client has no memory there");
        rig.Transfers.Should().Equal(1);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Even_a_trusted_client_hangs_nothing(string kind)
    {
        using DmaRig rig = new(server: new VfioUserServerOptions { TrustClientMemory = true });
        using Special special = new(kind);

        Task map = Background.Run(() =>
        {
            try
            {
                rig.Map(DmaRig.ReadWrite, 0, At, 0x1000, special.Handle);
            }
            catch (VfioUserException)
            {
                // most cannot be mapped
            }
        });
        await map.WaitAsync(Background.Timeout);

        rig.Dma.Regions.Should().HaveCount(kind is "zero" ? 1 : 0, "/dev/zero can be mapped");
        rig.Map(At + 0x1000, 0x1000);
        rig.Dma.TryRead(new Iova(At + 0x1000), out byte _).Should().BeTrue("the session lives on");
    }

    [Fact]
    public void A_descriptor_that_is_only_a_path_fails_its_accesses()
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x1000, TestFiles.SealShrink);
        using SafeFileHandle path = TestFiles.Reopen(file, TestFiles.PathOnly);

        rig.Map(DmaRig.ReadWrite, 0, At, 0x1000, path);

        rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.FileIo, "it cannot be asked for its seals");
        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeFalse();
        rig.Dma.TryWrite(new Iova(At), (byte)1).Should().BeFalse();
    }

    private sealed class Special : IDisposable
    {
        private readonly IDisposable[] _all;

        public Special(string kind)
        {
            switch (kind)
            {
                case "pipe":
                    AnonymousPipeServerStream pipe = new(PipeDirection.Out);
                    (Handle, _all) = (pipe.SafePipeHandle, [pipe]);
                    break;
                case "eventfd":
                    EventFd eventFd = new();
                    TestFiles.SetFlags(eventFd.Handle, 0); // a read of it would block
                    (Handle, _all) = (eventFd.Handle, [eventFd]);
                    break;
                case "socket":
                    (SafeSocketHandle first, SafeSocketHandle second) = SocketCalls.CreatePair();
                    (Handle, _all) = (first, [first, second]);
                    break;
                case "directory":
                    SafeFileHandle directory = TestFiles.Open("/tmp", TestFiles.ReadOnly);
                    (Handle, _all) = (directory, [directory]);
                    break;
                default:
                    SafeFileHandle file = TestFiles.Open(kind is "terminal" ? "/dev/ptmx" : "/dev/zero", TestFiles.ReadWrite);
                    (Handle, _all) = (file, [file]);
                    break;
            }
        }

        public SafeHandle Handle { get; }

        public void Dispose()
        {
            foreach (IDisposable one in _all)
                one.Dispose();
        }
    }
}
