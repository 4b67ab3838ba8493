using Microsoft.Win32.SafeHandles;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Protocol;
using static VfioUser.Clients.Tests.SpdkHostClient;

namespace VfioUser.Clients.Tests;

/// <summary>SPDK's NVMe driver, fuzzer and virtio initiator come this way.</summary>
public class SpdkHostTests
{
    private const ulong Base = 0x2000_0020_0000; // where its allocator maps huge pages
    private const ulong HugePage = 0x20_0000;

    // Its files have no seals: without huge pages they are reached with system calls. Huge pages would be asked of the client,
    // which does not answer, so that they take a server that trusts it.
    private static readonly VfioUserServerOptions Trusting = new() { TrustClientMemory = true };

    [Theory, InlineData(ServedBy.OwnThread, false), InlineData(ServedBy.Poller, false), InlineData(ServedBy.OwnThread, true), InlineData(ServedBy.Poller, true)]
    public void A_session_from_setup_to_release(ServedBy by, bool trusts)
    {
        Card card = new();
        using Served served = new(by, card, trusts ? Trusting : null);
        using SafeFileHandle first = Memory.Unsealed((long)HugePage), second = Memory.Unsealed((long)(2 * HugePage));
        MemoryRegion low = new(first, 0, Base, HugePage), high = new(second, HugePage, Base + HugePage, HugePage);

        using (SpdkHostClient client = Setup(served.Address, low, high))
        {
            client.Info.Should().Be(new DeviceInfo(16, DeviceFlags.Pci | DeviceFlags.Reset, 9, 5));
            client.Regions[(int)Card.Registers].Areas.Should().BeEmpty();
            client.BarAddress(Card.Doorbells, 0x1000, 0x1000).Should().NotBeNull();
            client.BarAddress(Card.Doorbells, 0, 0x1000).Should().BeNull();

            // registers by message, doorbells where they are mapped; the command register by two bytes
            client.Write(Card.Registers, 0x14, 0x00460001u);
            client.Read<uint>(Card.Registers, 0x14).Should().Be(0x00460001);
            client.Write(Card.Registers, 0x28, Base);
            client.Read<ulong>(Card.Registers, 0x28).Should().Be(Base);
            client.Write(Card.Doorbells, 0x1008, 7u);
            client.Read<uint>(Card.Doorbells, 0x1008).Should().Be(7);
            client.Write(Card.ConfigSpace, 4, (ushort)(client.Read<ushort>(Card.ConfigSpace, 4) | 0x404));
            client.Read<ushort>(Card.ConfigSpace, 4).Should().Be(0x404);

            // memory: the second half of the second file
            Memory.Write(second, HugePage + 16, [1, 0, 0, 0]);
            card.Dma.TryRead(new Iova(Base + HugePage + 16), out int value).Should().BeTrue();
            value.Should().Be(1);
            card.Dma.TryWrite<ulong>(new Iova(Base + 8), 0x1122334455667788).Should().BeTrue();
            Memory.Read(first, 8, 8).Should().Equal(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11);

            client.Release();
            card.Dma.Regions.Should().BeEmpty();
        }

        using SpdkHostClient next = Setup(served.Address, low);
        next.Release();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Memory_that_was_given_back_is_registered_again(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle file = Memory.Unsealed((long)HugePage);
        MemoryRegion memory = new(file, 0, Base, HugePage);
        using SpdkHostClient client = Setup(served.Address);

        for (int i = 0; i < 20; i++)
        {
            client.Register(memory).Should().Be(Errno.None);
            card.Dma.TryWrite(new Iova(Base), (uint)i).Should().BeTrue();
            client.Unregister(memory).Should().Be(Errno.None);
            card.Dma.TryWrite(new Iova(Base), (uint)i).Should().BeFalse();
        }

        client.Release();
    }

    // without a single file for all of its memory it names the first file for a region that spans two
    [Theory, InlineData(ServedBy.OwnThread, false), InlineData(ServedBy.OwnThread, true), InlineData(ServedBy.Poller, true)]
    public void A_region_beyond_its_file_is_refused_and_the_others_work(ServedBy by, bool trusts)
    {
        Card card = new();
        using Served served = new(by, card, trusts ? Trusting : null);
        using SafeFileHandle file = Memory.Unsealed((long)HugePage);
        using SpdkHostClient client = Setup(served.Address);

        client.Register(new MemoryRegion(file, 0, Base, 2 * HugePage)).Should().Be(Errno.EINVAL);

        client.Register(new MemoryRegion(file, 0, Base, HugePage)).Should().Be(Errno.None);
        card.Dma.TryWrite<uint>(new Iova(Base), 1).Should().BeTrue();
        card.Dma.TryWrite<uint>(new Iova(Base + HugePage), 1).Should().BeFalse();
        client.Release();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_refusal_keeps_the_client_in_sync(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle file = Memory.Unsealed((long)HugePage);
        MemoryRegion memory = new(file, 0, Base, HugePage);
        using SpdkHostClient client = Setup(served.Address, memory);

        client.ReadByMessage(Card.Registers, 0xFFC, 8, out _).Should().Be(Errno.EINVAL);
        client.ReadByMessage(Card.Absent, 0, 4, out _).Should().Be(Errno.EINVAL);
        client.WriteByMessage(Card.Registers, 0xFFC, new byte[8]).Should().Be(Errno.EINVAL);
        client.WriteByMessage(Card.Absent, 0, 1, 2).Should().Be(Errno.EINVAL);
        client.Register(memory with { Address = Base + 0x1000 }).Should().Be(Errno.EEXIST);
        client.Unregister(memory with { Address = Base + 0x1000 }).Should().Be(Errno.EINVAL);

        client.Read<ushort>(Card.ConfigSpace, 0).Should().Be(Card.Vendor);
        client.Unregister(memory).Should().Be(Errno.None);
        client.Release();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Spdk_driver_identifies_the_nvme_sample(ServedBy by)
    {
        using MemoryDisk disk = new(1 << 20);
        using NvmeController controller = new([disk], new NvmeControllerOptions { Doorbells = NvmeDoorbellKind.Mapped });
        using Served served = new(by, controller, Trusting);
        using SafeFileHandle file = Memory.Unsealed((long)HugePage);
        using SpdkHostClient client = Setup(served.Address, new MemoryRegion(file, 0, Base, HugePage));

        client.BarAddress(0, 0x1000, 0x1000).Should().NotBeNull("or else it gives the controller up");
        client.Write(7, 4, (ushort)(client.Read<ushort>(7, 4) | 0x404));
        ulong capabilities = client.Read<ulong>(0, 0);
        client.Read<uint>(0, 8).Should().BeGreaterThanOrEqualTo(0x00010000u);
        SpdkNvme nvme = new(client, file, Base, stride: 4 << (int)(capabilities >> 32 & 0xF));
        nvme.Enable();

        byte[] identity = nvme.Admin(opcode: 0x06, dword10: 1);
        System.Text.Encoding.ASCII.GetString(identity, 24, 40).TrimEnd().Should().Be("VfioUser NVMe");
        BitConverter.ToUInt16(identity, 0).Should().Be(BitConverter.ToUInt16(client.Read(7, 0, 2)));
        nvme.Admin(opcode: 0x06, dword10: 0, nsid: 1).Should().NotBeEquivalentTo(new byte[4096]);

        nvme.Shutdown();
        client.Release();
    }
}
