using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>libvfio-user's sample client, step by step.</summary>
public class LibvfioUserSampleTests
{
    private const int PageSize = 4096;

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void The_sample_client_from_negotiation_to_its_end_on_another_host(ServedBy by)
    {
        Card source = new(), destination = new();
        using Served served = new(by, source), moved = new(by, destination);
        using SafeFileHandle file = Memory.Unsealed(32 * PageSize);
        byte[] screen = Memory.Pattern(0x1000);

        using LibvfioUserClient client = LibvfioUserClient.Negotiate(served.Address);
        client.Read(0xdeadbeef, 0, 4, out _).Should().Be(Errno.EINVAL);
        client.GetDeviceInfo().IrqCount.Should().Be(5);
        LooksAtTheRegions(client);
        client.Read(Card.ConfigSpace, 0, 64, out byte[] config).Should().Be(Errno.None);
        BitConverter.ToUInt16(config).Should().Be(Card.Vendor);
        client.Reset();

        client.MapPages(file, 0, 32);
        using EventFd intx = client.ConfigureIrqs();
        client.StartLogging();
        client.Write(Card.Registers, 0, Wire.Bytes(1234567890123)).Should().Be(Errno.None);
        client.Read(Card.Registers, 0, 8, out byte[] time).Should().Be(Errno.None);
        time.Should().Equal(Wire.Bytes(1234567890123));
        source.Intx.Assert();
        intx.Wait(Bound.Timeout).Should().BeTrue();
        source.Dma.TryWrite<uint>(new Iova(PageSize), 1).Should().BeTrue();
        for (int page = 0; page < 32; page++)
        {
            client.GetDirtyBitmap(page, out byte[] bitmap).Should().Be(Errno.None);
            bitmap.Should().Equal(page == 1 ? (byte)1 : (byte)0, 0, 0, 0, 0, 0, 0, 0);
        }
        client.StopLogging();
        for (int page = 0; page < 16; page++)
            client.Unmap((ulong)(page * PageSize), PageSize).Should().Be(Errno.None);

        // the device moves, while its memory is written all the time
        client.Write(Card.Halves, 0x2000, Memory.Pattern(0x1000, seed: 7)).Should().Be(Errno.None);
        client.SetState(MigrationState.PreCopy).Should().Be(Errno.None);
        List<byte> stream = [.. client.ReadStream()];
        client.Write(Card.Halves, 0x2000, screen).Should().Be(Errno.None);
        client.SetState(MigrationState.StopCopy).Should().Be(Errno.None);
        stream.AddRange(client.ReadStream());
        client.SetState(MigrationState.Stop).Should().Be(Errno.None);
        client.Leave();

        using LibvfioUserClient next = LibvfioUserClient.Negotiate(moved.Address);
        next.SetState(MigrationState.Resuming).Should().Be(Errno.None);
        next.WriteStream([.. stream]);
        next.SetState(MigrationState.Stop).Should().Be(Errno.None);
        next.Read(Card.Halves, 0x2000, 0x1000, out byte[] arrived).Should().Be(Errno.None, "it looks whether all has arrived, and the device is stopped");
        arrived.Should().Equal(screen);
        next.SetState(MigrationState.Running).Should().Be(Errno.None);
        next.Read(Card.Registers, 0, 8, out time).Should().Be(Errno.None);
        time.Should().Equal(Wire.Bytes(1234567890123));
        next.MapPages(file, 16, 16);
        using EventFd movedIntx = next.ConfigureIrqs();
        movedIntx.Wait(Bound.Timeout).Should().BeTrue("INTx was asserted when the device left");
        next.Unmap(0, 0, DmaUnmapFlags.All).Should().Be(Errno.None);
        destination.Dma.Regions.Should().BeEmpty();
        next.Leave();
    }

    private static void LooksAtTheRegions(LibvfioUserClient client)
    {
        for (uint region = 0; region < 9; region++)
        {
            (RegionInfo info, SparseMmapArea[] areas, SafeFileHandle? file) = client.GetRegionInfo(region);
            using (file)
            {
                foreach (SparseMmapArea area in areas)
                    SharedMemory.Map(new SafeFileHandle(file!.DangerousGetHandle(), ownsHandle: false), info.Offset + area.Offset, area.Size).Dispose();
                if (region == Card.Halves)
                    areas.Should().Equal(new SparseMmapArea(0, 0x1000), new SparseMmapArea(0x2000, 0x1000));
            }
        }
    }
}
