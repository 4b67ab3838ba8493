using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <summary>What libvfio-user's client reads of a refusal: the header.</summary>
public class LibvfioUserRefusalTests
{
    private const int PageSize = 4096;

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_refusal_keeps_the_client_in_sync(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using LibvfioUserClient client = LibvfioUserClient.Negotiate(served.Address);
        using SafeFileHandle file = Memory.Unsealed(4 * PageSize);
        client.Map(1, file, 0, 2 * PageSize).Should().Be(Errno.None);

        client.Read(Card.Registers, 0xFFC, 8, out _).Should().Be(Errno.EINVAL);
        client.Read(Card.Absent, 0, 4, out _).Should().Be(Errno.EINVAL);
        client.Write(Card.Registers, 0xFFC, new byte[8]).Should().Be(Errno.EINVAL);
        client.Write(0xdeadbeef, 0, 1, 2, 3, 4).Should().Be(Errno.EINVAL);
        client.Unmap(PageSize, PageSize).Should().Be(Errno.EINVAL);
        client.Map(1, file, PageSize, PageSize).Should().Be(Errno.EEXIST);
        client.GetIrqInfo(9).Should().Be(Errno.EINVAL);
        client.GetDirtyBitmap(0, out _).Should().Be(Errno.EINVAL, "nothing is logged");
        client.SetState((MigrationState)99).Should().Be(Errno.EINVAL);
        client.Unknown().Should().Be(Errno.EINVAL);

        client.GetDeviceInfo();
        card.Dma.Regions.Should().ContainSingle();
        client.Leave();
    }
}
