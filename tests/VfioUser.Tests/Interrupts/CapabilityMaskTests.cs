using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What a guest masks in the MSI and MSI-X capabilities, of which the client says nothing.</summary>
public class CapabilityMaskTests
{
    private const ushort Enable = 0x8000;
    private const ushort FunctionMask = 0x4000;

    [Fact]
    public void The_function_mask_of_msi_x_holds_all_vectors_back_until_it_is_cleared()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        long control = device.Config.MsiX!.Offset + 2;
        guest.Config.Write(control, (ushort)(Enable | FunctionMask));

        device.MsiX[0].Trigger().Should().BeTrue("it will be delivered");
        device.MsiX[2].Trigger().Should().BeTrue();
        device.MsiX[2].Trigger().Should().BeTrue();

        guest.MsiX.Select(vector => vector.Count).Should().Equal(0, 0, 0);
        guest.Bar0.Read<byte>(IrqDevice.PendingOffset).Should().Be(0b101);
        guest.Config.Write(control, Enable);
        guest.MsiX.Select(vector => vector.Count).Should().Equal(1, 0, 1);
        guest.Bar0.Read<byte>(IrqDevice.PendingOffset).Should().Be(0);
    }

    [Fact]
    public void A_vector_needs_both_its_own_mask_and_the_function_mask_cleared()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        long control = device.Config.MsiX!.Offset + 2;
        guest.Config.Write(control, (ushort)(Enable | FunctionMask));
        guest.MsiX[1].Mask();

        device.MsiX[1].Trigger();
        guest.MsiX[1].Unmask();
        guest.MsiX[1].Count.Should().Be(0);
        device.MsiX[1].IsPending.Should().BeTrue();
        guest.Config.Write(control, Enable);

        guest.MsiX[1].Count.Should().Be(1);
    }

    [Fact]
    public void An_msi_vector_that_the_guest_masks_is_pending_and_is_delivered_when_unmasked()
    {
        IrqVectors msi = null!;
        BlankDevice device = new(it => msi = it.AddMsi(4, perVectorMask: true));
        using var guest = TestGuest.Attach(device);
        long mask = device.Config.Msi!.Offset + 16;
        guest.Config.Write(mask, 0b0010u);

        msi[1].Trigger().Should().BeTrue();
        msi[2].Trigger().Should().BeTrue();

        guest.Msi.Select(vector => vector.Count).Should().Equal(0, 0, 1, 0);
        guest.Config.Read<uint>(mask + 4).Should().Be(0b0010);
        guest.Config.Write(mask, 0u);
        guest.Msi.Select(vector => vector.Count).Should().Equal(0, 1, 1, 0);
        guest.Config.Read<uint>(mask + 4).Should().Be(0);
    }

    [Fact]
    public void A_reset_clears_the_masks_and_what_waited()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        long control = device.Config.MsiX!.Offset + 2;
        guest.Config.Write(control, (ushort)(Enable | FunctionMask));
        device.MsiX[0].Trigger();

        guest.Reset();

        device.MsiX[0].IsPending.Should().BeFalse();
        device.MsiX[0].Trigger();
        guest.MsiX[0].Count.Should().Be(1);
    }
}
