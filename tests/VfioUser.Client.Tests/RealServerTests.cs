using VfioUser.Testing;

namespace VfioUser.Client.Tests;

public class RealServerTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void A_device_is_described(GuestMemoryKind memory)
    {
        using TestGuest guest = TestGuest.Attach(new Scratch(), memory);

        guest.Client.HasTwinSocket.Should().Be(memory == GuestMemoryKind.TwinSocket);
        guest.Client.Version.Should().Be(new ProtocolVersion(0, 1));
        guest.Client.GetDeviceInfo().RegionCount.Should().Be(9);
        guest.Client.GetIrqInfo(2).Count.Should().Be(4);
        using ClientRegion bar = guest.Client.GetRegionInfo(0);
        bar.Size.Should().Be(0x1000);
        bar.Areas.Should().BeEmpty();
    }

    [Fact]
    public void Client_maps_see_device_writes()
    {
        Scratch device = new();
        using TestGuest guest = TestGuest.Attach(device);
        using ClientRegion region = guest.Client.GetRegionInfo(2);
        SparseMmapArea area = region.Areas.Should().ContainSingle().Subject;
        using SharedMemory mapped = region.Map(area);

        device.Shared.Span(0x1123, 1)[0] = 42;
        mapped.Slice(0x456, 1)[0] = 43;

        area.Should().Be(new SparseMmapArea(0x1000, 0x1000));
        mapped.Slice(0x123, 1)[0].Should().Be(42);
        guest.Bar2.Read<byte>(0x1456).Should().Be(43);
    }

    [Fact]
    public void Refusals_have_the_servers_reason()
    {
        using TestGuest guest = TestGuest.Attach(new Scratch());

        Refused(() => guest.Client.ReadRegion(0, 0x1000, new byte[4]), Command.RegionRead, Errno.EINVAL);
        Refused(() => guest.Client.MapDma(guest.Memory.Address.Value, 0x1000, guest.Memory.File), Command.DmaMap, Errno.EEXIST);
        Refused(() => guest.Client.UnmapDma(guest.Memory.Address.Value, 0x1000), Command.DmaUnmap, Errno.EINVAL);
        Refused(() => guest.Client.GetRegionInfo(99), Command.DeviceGetRegionInfo, Errno.EINVAL);
    }

    [Fact]
    public void Many_threads_share_a_client()
    {
        using TestGuest guest = TestGuest.Attach(new Scratch());

        Background<bool>[] threads = [.. Enumerable.Range(0, 8).Select(thread => Background.Run(() =>
        {
            long offset = 0x100 + 4 * thread;
            for (uint i = 0; i < 200; i++)
            {
                guest.Bar0.Write(offset, i);
                guest.Bar0.Read<uint>(offset).Should().Be(i);
            }
        }))];

        foreach (Background<bool> thread in threads)
            thread.Join();
    }

    [Theory]
    [InlineData("/tmp/vfio-user-client-test-{0}.sock")]
    [InlineData("@vfio-user-client-test-{0}")]
    public void A_server_is_found_by_its_path_or_name(string pattern)
    {
        string address = string.Format(System.Globalization.CultureInfo.InvariantCulture, pattern, Environment.ProcessId);
        using VfioUserServer server = address[0] == '@' ? VfioUserServer.BindAbstract(address[1..]) : VfioUserServer.Bind(address);
        Task running = server.RunAsync(new Scratch());

        using (VfioUserClient client = VfioUserClient.Connect(address))
            client.GetDeviceInfo().RegionCount.Should().Be(9);
        using (VfioUserClient next = VfioUserClient.Connect(address))
            next.ResetDevice();

        server.Dispose();
        Background.Run(() => running.GetAwaiter().GetResult()).Join();
    }

    private static void Refused(Action action, Command command, Errno errno)
    {
        VfioUserException refusal = action.Should().Throw<VfioUserException>().Which;
        refusal.Command.Should().Be(command);
        refusal.Errno.Should().Be(errno);
    }

    /// <summary>Memory to read and write, and some to map.</summary>
    private sealed class Scratch : PciDevice, IRegionHandler
    {
        private readonly byte[] _bytes = new byte[0x1000];

        public Scratch() : base(new PciId(0x1234, 0x5678), PciClass.ProcessingAccelerator)
        {
            RequiresBusMaster = false;
            AddBar(0, BarKind.Memory32, size: 0x1000, this);
            AddBar(1, BarKind.Memory32, size: 0x1000).AddMsiX(offset: 0, vectors: 4);
            Shared = AddBar(2, BarKind.Memory64, size: 0x4000).ShareMemory(new MemoryArea(0x1000, 0x1000));
        }

        public RegionMemory Shared { get; }

        public void Read(long offset, Span<byte> destination) => _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);

        public void Write(long offset, ReadOnlySpan<byte> source) => source.CopyTo(_bytes.AsSpan((int)offset));
    }
}
