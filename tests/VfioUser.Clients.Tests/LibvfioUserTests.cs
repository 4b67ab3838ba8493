using Gpio;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>Programs on libvfio-user's client side.</summary>
public class LibvfioUserTests
{
    private const int PageSize = 4096;

    // The client has 1,024 bytes at most of data in a message.
    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void The_device_reads_and_writes_memory_by_messages_on_the_only_socket(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using LibvfioUserClient client = LibvfioUserClient.Negotiate(served.Address);
        using SafeFileHandle file = Memory.Unsealed(PageSize);
        byte[] pattern = Memory.Pattern(PageSize), back = new byte[PageSize];
        client.MapWithoutFile(0, PageSize).Should().Be(Errno.None);

        Task<bool> device = Bound.Start<bool>(() => card.Dma.TryWrite(default, pattern));
        for (int i = 0; i < PageSize / LibvfioUserClient.MaxTransfer; i++)
            client.HandleDmaWrite(file).Count.Should().Be(LibvfioUserClient.MaxTransfer);
        device.Result().Should().BeTrue();
        Memory.Read(file, 0, PageSize).Should().Equal(pattern);

        device = Bound.Start<bool>(() => card.Dma.TryRead(default, back));
        for (int i = 0; i < PageSize / LibvfioUserClient.MaxTransfer; i++)
            client.HandleDmaRead(file).Count.Should().Be(LibvfioUserClient.MaxTransfer);
        device.Result().Should().BeTrue();
        back.Should().Equal(pattern);
        client.Leave();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Libvfio_user_drives_the_gpio_sample(ServedBy by)
    {
        GpioCard card = new();
        using Served served = new(by, card);
        using LibvfioUserClient client = LibvfioUserClient.Negotiate(served.Address);
        client.GetDeviceInfo();
        for (uint region = 0; region < 9; region++)
            client.GetRegionInfo(region).File.Should().BeNull();
        using EventFd intx = client.ConfigureIrqs();

        client.Write(2, 0, 0x34).Should().Be(Errno.None);
        client.Read(2, 2, 1, out _).Should().Be(Errno.None);
        card.Inputs = 1;

        card.Outputs.Should().Be(0x34);
        intx.Take().Should().Be(1);
        client.SetState(MigrationState.PreCopy).Should().Be(Errno.EINVAL, "it cannot move");
        client.Leave();
    }
}
