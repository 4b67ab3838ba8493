using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class GuestFaultTests
{
    private readonly List<string> _heard = [];
    private readonly BlankDevice _device;
    private Register<uint> _register = null!;
    private IrqVectors _msi = null!;

    public GuestFaultTests()
    {
        _device = new BlankDevice(device =>
        {
            _register = device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0);
            _msi = device.AddMsi(2);
        })
        {
            WhenAttached = () => _heard.Add("attached"),
            WhenDetached = () => _heard.Add("detached"),
        };
    }

    [Theory]
    [InlineData(DisconnectPoint.BetweenMessages, GuestMemoryKind.Mapped)]
    [InlineData(DisconnectPoint.InHeader, GuestMemoryKind.FileIo)]
    [InlineData(DisconnectPoint.InBody, GuestMemoryKind.TwinSocket)]
    [InlineData(DisconnectPoint.InBody, GuestMemoryKind.SingleSocket)]
    public void A_disconnected_guest_reconnects_to_the_same_device(DisconnectPoint point, GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, memory);
        Iova place = guest.Place("here"u8);
        guest.Bar0.Write(0, 5u);
        guest.Msi[1].Mask();

        guest.Faults.Disconnect(point);

        guest.IsConnected.Should().BeFalse();
        _heard.Should().Equal("attached", "detached");
        _device.Dma.TryRead(place, out byte _).Should().BeFalse();
        _register.Value.Should().Be(5, "half a message writes nothing");
        guest.Bar0.Invoking(bar => bar.Read<uint>(0)).Should().Throw<Client.VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);

        guest.Reconnect();

        guest.IsConnected.Should().BeTrue();
        guest.Bar0.Read<uint>(0).Should().Be(5);
        _device.Dma.TryRead(place, out byte found).Should().BeTrue();
        found.Should().Be((byte)'h');
        (_msi[0].Trigger(), _msi[1].IsMasked).Should().Be((true, true));
        guest.Msi[0].Count.Should().Be(1);
        _heard.Should().Equal("attached", "detached", "attached");
    }

    [Fact]
    public void A_guest_may_leave_and_come_back_without_a_fault()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Reconnect();
        guest.Reconnect();

        _heard.Should().Equal("attached", "detached", "attached", "detached", "attached");
    }

    [Fact]
    public void Memory_and_interrupts_that_were_off_are_off_for_the_next_connection()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Memory.Unmap();
        guest.Msi.Disable();

        guest.Reconnect();

        _device.Dma.Regions.Should().BeEmpty();
        _msi[0].Trigger().Should().BeFalse();
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task An_access_by_message_fails_when_the_guest_disconnects(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, memory);
        Iova place = guest.Place("here"u8);
        using GuestDmaFault held = guest.Faults.HoldDma();
        Task<bool> access = Background.Run<bool>(() => _device.Dma.TryRead(place, out byte _));
        held.WaitForHits();

        guest.Faults.Disconnect();

        (await access.WaitAsync(Background.Timeout)).Should().BeFalse("the access must end with the connection");
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void The_nth_access_fails_and_the_others_do_not(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, memory);
        Iova place = guest.Place("here"u8);
        using GuestDmaFault fault = guest.Faults.FailDma(Errno.EACCES, DmaDirection.Read, skip: 1, count: 2);

        bool[] reads = [.. Enumerable.Range(0, 5).Select(_ =>
        {
            _device.Dma.TryWrite(place, (byte)1).Should().BeTrue("only reads fail");
            return _device.Dma.TryRead(place, out byte _);
        })];

        reads.Should().Equal(true, false, false, true, true);
        fault.Hits.Should().Be(2);
    }

    [Fact]
    public void A_fault_that_is_disposed_is_over()
    {
        using var guest = TestGuest.Attach(_device, GuestMemoryKind.TwinSocket);
        Iova place = guest.Place("here"u8);

        using (guest.Faults.FailDma(count: int.MaxValue))
            _device.Dma.TryRead(place, out byte _).Should().BeFalse();

        _device.Dma.TryRead(place, out byte _).Should().BeTrue();
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task An_access_that_is_held_waits_and_commands_go_on(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, memory);
        Iova place = guest.Place("here"u8);
        using GuestDmaFault held = guest.Faults.HoldDma(DmaDirection.Write);
        Task<bool> access = Background.Run<bool>(() => _device.Dma.TryWrite(place, (byte)'H'));

        held.WaitForHits();
        guest.Bar0.Write(0, 3u);
        guest.Bar0.Read<uint>(0).Should().Be(3);
        access.IsCompleted.Should().BeFalse();
        guest.Memory.Read<byte>(place).Should().Be((byte)'h');
        held.Release();

        (await access.WaitAsync(Background.Timeout)).Should().BeTrue("it was released");
        guest.Memory.Read<byte>(place).Should().Be((byte)'H');
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void An_access_that_is_never_answered_fails_in_the_end(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions
        {
            Memory = memory,
            Server = new VfioUserServerOptions { DmaTimeout = TimeSpan.FromMilliseconds(100) },
        });
        Iova place = guest.Place("here"u8);
        using GuestDmaFault lost = guest.Faults.LoseDma();

        _device.Dma.TryRead(place, out byte _).Should().BeFalse();

        lost.Hits.Should().Be(1);
        Background.MustBecomeTrue(() => _device.Dma.TryRead(place, out byte _), "the next one is answered");
    }

    [Fact]
    public async Task A_guest_may_leave_while_accesses_are_held()
    {
        Task<bool> access;
        using (var guest = TestGuest.Attach(_device, GuestMemoryKind.TwinSocket))
        {
            Iova place = guest.Place("here"u8);
            GuestDmaFault held = guest.Faults.HoldDma();
            access = Background.Run<bool>(() => _device.Dma.TryRead(place, out byte _));
            held.WaitForHits();
        }

        (await access.WaitAsync(Background.Timeout)).Should().BeFalse("the guest has gone");
    }

    [Fact]
    public void A_missing_access_is_reported()
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions { Memory = GuestMemoryKind.TwinSocket, Timeout = TimeSpan.FromMilliseconds(200) });
        using GuestDmaFault held = guest.Faults.HoldDma(DmaDirection.Write);

        held.Invoking(it => it.WaitForHits()).Should().Throw<TestGuestException>().WithMessage("1 DMA messages (Write) were waited for, and 0 came*");
    }

    [Fact]
    public void Memory_that_needs_no_messages_has_no_faults_of_them()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Faults.Invoking(faults => faults.FailDma()).Should().Throw<InvalidOperationException>().WithMessage("*Mapped*TwinSocket*");
        guest.Faults.Invoking(faults => faults.LoseTwinSocket()).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void Without_its_twin_socket_a_device_has_commands_but_no_memory()
    {
        using var guest = TestGuest.Attach(_device, GuestMemoryKind.TwinSocket);
        Iova place = guest.Place("here"u8);

        guest.Faults.LoseTwinSocket();

        _device.Dma.TryRead(place, out byte _).Should().BeFalse();
        guest.Bar0.Write(0, 1u);
        _register.Value.Should().Be(1);
        guest.Reconnect();
        _device.Dma.TryRead(place, out byte _).Should().BeTrue();
    }

    [Theory]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Memory_can_be_shortened_and_extended_with_zeros(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions { Memory = memory, MemorySize = 0x4000 });
        Iova near = guest.Place("near"u8);
        Iova far = guest.Place("far"u8);

        guest.Memory.Truncate(0x1000);

        (guest.Memory.Size, guest.Memory.Length).Should().Be((0x4000ul, 0x1000ul));
        _device.Dma.TryRead(near, out byte _).Should().BeTrue();
        _device.Dma.TryRead(far, out byte _).Should().BeFalse();
        guest.Memory.Invoking(it => it.Read<byte>(far)).Should().Throw<ArgumentOutOfRangeException>();

        guest.Memory.Truncate(0x4000);

        _device.Dma.TryRead(far, out byte found).Should().BeTrue();
        found.Should().Be(0);
        guest.Memory.Read<byte>(near).Should().Be((byte)'n');
    }

    [Fact]
    public void Mapped_memory_cannot_lose_its_end()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Memory.Invoking(it => it.Truncate(0)).Should().Throw<InvalidOperationException>().WithMessage("*FileIo*");
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Memory_can_be_taken_away_and_given_back(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(_device, memory);
        Iova place = guest.Place("here"u8);

        guest.Memory.Unmap();

        guest.Memory.IsMapped.Should().BeFalse();
        _device.Dma.TryRead(place, out byte _).Should().BeFalse();
        guest.Memory.Map();
        _device.Dma.TryRead(place, out byte found).Should().BeTrue();
        found.Should().Be((byte)'h');
    }

    [Fact]
    public void Memory_that_is_in_use_is_waited_for()
    {
        using var guest = TestGuest.Attach(_device);
        Iova place = guest.Place("here"u8);
        _device.Dma.TryLease(place, 4096, writable: false, out DmaLease lease).Should().BeTrue();

        Task gone = guest.Memory.UnmapAsync();
        Background.MustBecomeTrue(() => !_device.Dma.TryRead(place, out byte _), "no new access is accepted");
        gone.IsCompleted.Should().BeFalse();
        lease.Dispose();

        gone.MustEnd("nobody uses it any more");
        guest.Memory.IsMapped.Should().BeFalse();
    }
}
