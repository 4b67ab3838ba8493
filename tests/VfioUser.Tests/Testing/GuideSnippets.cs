using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>The code of <c>docs/testing.md</c>, which a test holds against this file.</summary>
public class GuideSnippets
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]       // a descriptor came with the map: read in place
    [InlineData(GuestMemoryKind.FileIo)]       // a descriptor that could shrink: read with system calls
    [InlineData(GuestMemoryKind.TwinSocket)]   // none: messages on a second socket
    [InlineData(GuestMemoryKind.SingleSocket)] // none, and no second socket: messages in between commands
    public void Doorbell_adds_up_the_buffer_and_raises_msix_0(GuestMemoryKind memory)
    {
        using var guest = TestGuest.Attach(new SumDevice(), memory);
        guest.StartDriver();
        Iova buffer = guest.Place([1, 2, 3]);

        guest.Bar0.Write(0x00, buffer.Value);
        guest.Bar0.Write(0x08, 3u);
        guest.Bar0.Write(0x14, 1u);

        guest.MsiX.TakeAll().Should().Equal(1, 0);
        guest.Bar0.Read<uint>(0x0C).Should().Be(6);
    }

    [Fact]
    public void A_driver_finds_the_device()
    {
        using var guest = TestGuest.Attach(new SumDevice(), new TestGuestOptions { EnableInterrupts = false });

        PciFunction function = guest.Enumerate();
        function.Enable(); // memory space and bus mastering
        GuestInterrupts vectors = function.AllocateIrqVectors(min: 1, max: 2, PciIrqTypes.MsiX | PciIrqTypes.Intx);

        (function.VendorId, function.DeviceId).Should().Be((0x1B36, 0x00F7));
        function.Bar(0).Size.Should().Be(0x1000);
        function.FindCapability(0x11).Should().NotBeNull(); // MSI-X
        vectors.Type.Should().Be(IrqType.MsiX);
        vectors.EnabledCount.Should().Be(2);
    }

    [Fact]
    public async Task Interrupts_are_taken_and_waited_for()
    {
        using var guest = TestGuest.Attach(new SumDevice());
        guest.StartDriver();

        Task twice = guest.MsiX[0].WaitForAsync(2); // counted since the guest attached
        guest.Bar0.Write(0x00, guest.Place([1]).Value);
        guest.Bar0.Write(0x08, 1u);
        guest.Bar0.Write(0x14, 1u);
        guest.MsiX[0].WaitForNext();                // takes one
        guest.Bar0.Write(0x14, 1u);
        await twice;
        guest.MsiX[0].Take().Should().Be(1);        // what came since
        guest.MsiX.ExpectNone();                    // and no more of any vector
    }

    [Fact]
    public void A_driver_without_msix_services_intx()
    {
        using var guest = TestGuest.Attach(new SumDevice());
        guest.StartDriver(PciIrqTypes.Intx);

        guest.Bar0.Write(0x14, 1u);
        guest.Intx.ReadIsAsserted().Should().BeTrue();
        guest.Intx.Service(() => guest.Bar0.Write(0x18, 1u)); // waits, acknowledges, unmasks

        guest.Intx.ReadIsAsserted().Should().BeFalse();
        guest.Intx.ExpectNone();
    }

    [Fact]
    public void A_read_that_fails_sets_fault()
    {
        using var guest = TestGuest.Attach(new SumDevice(), GuestMemoryKind.SingleSocket);
        guest.StartDriver();
        guest.Bar0.Write(0x00, guest.Place([1]).Value);
        guest.Bar0.Write(0x08, 1u);

        using (guest.Faults.FailDma(Errno.EIO, DmaDirection.Read, skip: 1)) // the second read
        {
            guest.Bar0.Write(0x14, 1u);
            guest.Bar0.Read<uint>(0x10).Should().Be(0);
            guest.Bar0.Write(0x14, 1u);
            guest.Bar0.Read<uint>(0x10).Should().Be(1);
        }

        guest.MsiX.TakeAll().Should().Equal(1, 1);
    }

    [Fact]
    public void A_guest_may_vanish_while_the_device_reads()
    {
        using var guest = TestGuest.Attach(new SumDevice(), GuestMemoryKind.TwinSocket);
        guest.Bar0.Write(0x00, guest.Place([1]).Value);
        guest.Bar0.Write(0x08, 1u);

        using GuestDmaFault held = guest.Faults.HoldDma();
        guest.Bar0.Post(0x14, 1u);
        held.WaitForHits();                                // the device waits for memory now
        guest.Faults.Disconnect(DisconnectPoint.InHeader); // returns when the device has been told

        guest.Reconnect();
        guest.Bar0.Read<uint>(0x10).Should().Be(1);
    }

    [Fact]
    public void Memory_may_go_before_the_device_is_done_with_it()
    {
        using var guest = TestGuest.Attach(new SumDevice(), GuestMemoryKind.FileIo);
        guest.Memory.Allocate(4096);
        Iova buffer = guest.Place([1, 2, 3]);
        guest.Bar0.Write(0x00, buffer.Value);
        guest.Bar0.Write(0x08, 3u);

        guest.Memory.Truncate(4096);
        guest.Bar0.Write(0x14, 1u);

        guest.Bar0.Read<uint>(0x10).Should().Be(1);
    }

    [Fact]
    public void The_device_moves_to_another_host()
    {
        using var guest = TestGuest.Attach(new SumDevice());
        guest.StartDriver();
        guest.Bar0.Write(0x00, guest.Place([1, 2, 3]).Value);
        guest.Bar0.Write(0x08, 3u);

        using TestGuest target = guest.MigrateTo(new SumDevice());
        target.Bar0.Write(0x14, 1u);

        target.MsiX[0].WaitForNext();
        target.Bar0.Read<uint>(0x0C).Should().Be(6);
    }

    [Fact]
    public void State_that_is_damaged_is_refused()
    {
        using var guest = TestGuest.Attach(new SumDevice());
        byte[] state = guest.Migration.Save();
        state[^1] ^= 1;
        guest.Migration.Resume();

        using var target = TestGuest.Attach(new SumDevice());
        target.Migration.Invoking(it => it.Restore(state)).Should().Throw<VfioUserException>();

        target.Reset();
        target.Migration.GetState().Should().Be(MigrationState.Running);
    }

    [Fact]
    public void The_handlers_exception_is_the_inner_exception()
    {
        using var guest = TestGuest.Attach(new SumDevice());
        guest.Bar0.Write(0x08, uint.MaxValue);

        guest.Bar0.Invoking(bar => bar.Write(0x14, 1u)).Should().Throw<VfioUserException>()
            .WithInnerException<OverflowException>();
    }

    [Fact]
    public async Task A_server_elsewhere()
    {
        string folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;
        string path = Path.Combine(folder, "sum.sock");
        await using (VfioUserServer server = VfioUserServer.Bind(path))
        {
            _ = server.RunAsync(new SumDevice());
            using TestGuest guest = TestGuest.Connect(path, GuestMemoryKind.TwinSocket);
            guest.StartDriver();
            guest.Bar0.Write(0x00, guest.Place([1, 2, 3]).Value);
            guest.Bar0.Write(0x08, 3u);
            guest.Bar0.Write(0x14, 1u);

            guest.MsiX[0].WaitForNext();
            guest.Bar0.Read<uint>(0x0C).Should().Be(6);
        }
        Directory.Delete(folder, recursive: true);
    }
}
