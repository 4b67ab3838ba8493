using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Testing;
using VfioUser.Tests.Polling;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests;

/// <summary>Guests of more than 32 GiB, of which the bitmap does not go into 1 MiB. Their memory is a file with a hole.</summary>
public class LargeBitmapTests
{
    private const ulong Page = 4096;
    private const ulong At = 1ul << 40;
    private const ulong Size = 64ul << 30;
    private const uint Bitmap = 2 << 20;
    private const int Head = DeviceFeature.WireSize + DmaLoggingReport.WireSize;

    [Fact]
    public void Large_bitmaps_are_reported_and_unmapped_in_one_reply()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device);
        using SharedMemory memory = SharedMemory.Create(Size);
        guest.Client.MapDma(At, Size, memory.File);
        guest.Client.StartDirtyPages(Page);
        device.Dma.TryWrite(new Iova(At + Size - 1), (byte)1).Should().BeTrue();

        (Errno errno, byte[] reply) = Report(guest, Head + Bitmap);

        errno.Should().Be(Errno.None);
        reply.Should().HaveCount(Head + (int)Bitmap);
        reply[^1].Should().Be(0x80);
        reply.AsSpan(Head, (int)Bitmap - 1).IndexOfAnyExcept((byte)0).Should().Be(-1);

        device.Dma.TryWrite(new Iova(At + 63 * Page), (byte)1).Should().BeTrue();
        guest.Client.GetDirtyPages(At, Size, Page)[0].Should().Be(1ul << 63);
        device.Dma.TryWrite(new Iova(At), (byte)1).Should().BeTrue();
        ulong[] last = guest.Client.UnmapDmaWithDirtyPages(At, Size, Page);

        last.Should().HaveCount((int)Bitmap / sizeof(ulong));
        last[0].Should().Be(1);
        last.AsSpan(1).IndexOfAnyExcept(0ul).Should().Be(-1);
        device.Dma.Find(new Iova(At)).Should().BeNull();
        guest.Bar0.Read<uint>(0).Should().Be(0, "the session goes on");
    }

    [Theory]
    [InlineData(ProtocolLimits.MaxBitmapSize, null, 1 << 20)] // a client that does not say what it takes
    [InlineData(ProtocolLimits.MaxBitmapSize, 1ul << 20, 1 << 20)]
    [InlineData(1 << 20, 256ul << 20, 1 << 20)]
    [InlineData(64 << 10, 256ul << 20, 64 << 10)]
    [InlineData(ProtocolLimits.MaxBitmapSize, ulong.MaxValue, ProtocolLimits.MaxBitmapSize)]
    public void The_limit_is_the_smaller_of_what_both_say(int server, ulong? client, int expected)
    {
        using DmaRig rig = new(server: new VfioUserServerOptions { MaxBitmapSize = server },
            capabilities: Capabilities.ClientDefaults with { Migration = client is null ? null : new MigrationCapability { MaxBitmapSize = client } },
            device: new BlankDevice(blank => blank.EnableMigration()));
        rig.Client.MapDma(At, Size); // by message
        rig.Client.StartDirtyPages(Page);

        rig.Client.Limits.MaxBitmapSize.Should().Be(expected);
        Errno wanted = expected >= Bitmap ? Errno.None : Errno.EINVAL;
        rig.Client.Feature(Head + Bitmap, 8 | (1u << 16), Range(Size)).Errno.Should().Be(wanted);
        ulong part = (ulong)Math.Min(expected, Bitmap) * 8 * Page;
        rig.Client.Feature(Head + Bitmap, 8 | (1u << 16), Range(part)).Errno.Should().Be(Errno.None);
        rig.Client.GetDirtyPages(At, Size, Page).Should().HaveCount((int)Bitmap / sizeof(ulong), "it asks for pieces");
        if (wanted == Errno.None)
            return;
        rig.Client.Invoking(it => it.UnmapDmaWithDirtyPages(At, Size, Page)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        rig.Dma.Find(new Iova(At)).Should().NotBeNull("what is refused stays mapped");
    }

    [Fact]
    public async Task A_poller_does_not_wait_for_a_client_that_is_slow_to_read_one()
    {
        using PollerRig rig = new(served: new PlainDevice());
        using RawClient client = rig.Attach();
        client.Say(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, At, Size));
        rig.Until(PollEvents.Commands);
        client.Hear().ShouldBeGranted();
        client.Say(Command.DeviceFeature, RawClient.Bytes(new DeviceFeature(24, DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingStart), RawClient.Bytes(new DmaLoggingControl(Page, 0, 0))));
        rig.Until(PollEvents.Commands);
        client.Hear().Header.Error.Should().Be(0u);

        ushort report = client.Say(Command.DeviceFeature, RawClient.Bytes(
            new DeviceFeature(Head + Bitmap, DeviceFeatureFlags.Get | (DeviceFeatureFlags)DeviceFeatureId.DmaLoggingReport), Range(Size)));
        rig.UntilIdle().Should().Be(1, "the reply does not fit into the socket, and nobody waits");
        Task<RawReply> heard = Wait.Start(() => client.HearReply(report, Command.DeviceFeature));
        while (!heard.IsCompleted)
        {
            if (PollCalls.WaitReadable(rig.Poller.Handle, 10))
                rig.Poller.Process();
        }

        (await heard).Payload.Should().HaveCount(Head + (int)Bitmap);
    }

    private static (Errno Errno, byte[] Payload) Report(TestGuest guest, uint argsz) => guest.Client.Feature(argsz, 8 | (1u << 16), Range(Size));

    private static byte[] Range(ulong length) => [.. BitConverter.GetBytes(At), .. BitConverter.GetBytes(length), .. BitConverter.GetBytes(Page)];
}
