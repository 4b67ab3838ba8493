using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Serving;

/// <summary>Reads so long that their replies are sent from the region's memory.</summary>
public class LongReadTests
{
    private const int Long = 256 << 10;
    private const int MemoryStart = 1 << 20;
    private const int BarSize = 4 << 20;

    [Fact]
    public void Replies_before_and_after_a_long_one_keep_their_order()
    {
        MemoryDevice device = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        Task running = server.RunAsync(device);
        byte[] data = device.Fill();
        using (RawClient client = RawClient.Connect(server.Address))
        {
            Served.Negotiate(client);
            ushort before = client.Say(Command.RegionRead, RawClient.Bytes(new RegionAccess(MemoryStart, 0, 4)));
            ushort first = client.Say(Command.RegionRead, RawClient.Bytes(new RegionAccess(MemoryStart + 5, 0, Long)));
            ushort second = client.Say(Command.RegionRead, RawClient.Bytes(new RegionAccess(MemoryStart + 9, 0, Long)));
            ushort after = client.Say(Command.RegionRead, RawClient.Bytes(new RegionAccess(MemoryStart + 1, 0, 4)));

            Hear(before, 0, 4);
            Hear(first, 5, Long);
            Hear(second, 9, Long);
            Hear(after, 1, 4);

            void Hear(ushort id, int offset, int count)
            {
                client.HearReply(id, Command.RegionRead).ShouldBegin<RegionAccess>(out byte[] read);
                read.AsSpan().SequenceEqual(data.AsSpan(offset, count)).Should().BeTrue();
            }
        }
        server.Dispose();
        running.ShouldEnd();
    }

    [Fact]
    public void Long_read_over_memory_and_a_gap_has_both()
    {
        MemoryDevice device = new();
        byte[] data = device.Fill();
        using TestGuest guest = TestGuest.Attach(device);
        byte[] read = new byte[Long];

        guest.Bar0.Read(MemoryStart - (Long / 2), read);

        read.AsSpan(0, Long / 2).ContainsAnyExcept((byte)0).Should().BeFalse();
        read.AsSpan(Long / 2).SequenceEqual(data.AsSpan(0, Long / 2)).Should().BeTrue();
    }

    [Fact]
    public void Interceptor_answers_a_long_read_of_memory()
    {
        MemoryDevice device = new();
        device.Bar.Intercept(new Sevens());
        using TestGuest guest = TestGuest.Attach(device);
        byte[] read = new byte[Long];

        guest.Bar0.Read(MemoryStart, read);

        read.AsSpan().ContainsAnyExcept((byte)7).Should().BeFalse();
    }

    private sealed class MemoryDevice : PciDevice
    {
        private readonly RegionMemory _memory;

        public MemoryDevice()
            : base(new PciId(0x1B36, 0x00F3), PciClass.ProcessingAccelerator)
        {
            Bar = AddBar(0, BarKind.Memory32, BarSize);
            _memory = Bar.ShareMemory(new MemoryArea(MemoryStart, BarSize - MemoryStart));
        }

        public Bar Bar { get; }

        public byte[] Fill()
        {
            byte[] data = new byte[2 * Long];
            new Random(1).NextBytes(data);
            data.CopyTo(_memory.Span(MemoryStart, data.Length));
            return data;
        }
    }

    private sealed class Sevens : IRegionHandler
    {
        public void Read(long offset, Span<byte> destination) => destination.Fill(7);

        public void Write(long offset, ReadOnlySpan<byte> source) => throw new InvalidOperationException("Nobody writes.");
    }
}
