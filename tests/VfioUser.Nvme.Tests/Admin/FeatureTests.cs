using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

public class FeatureTests
{
    [Theory]
    [InlineData(0x01u, 0x0102_0304u)] // arbitration
    [InlineData(0x02u, 0u)] // power management
    [InlineData(0x04u, 400u)] // temperature threshold
    [InlineData(0x04u, 300u | 1 << 20)] // the lower one
    [InlineData(0x05u, 5u)] // error recovery
    [InlineData(0x08u, 0x0203u)] // interrupt coalescing
    [InlineData(0x09u, 0x0001_0002u)] // interrupt vector configuration
    [InlineData(0x0Au, 1u)] // write atomicity
    [InlineData(0x0Bu, 0x1Fu)] // asynchronous events
    public void A_feature_that_is_set_is_read_back_until_a_reset(uint feature, uint value)
    {
        using Machine machine = new();
        uint which = feature is 0x04 or 0x09 ? value & 0x00F0_FFFF : 0;

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: feature, dword11: value)));
        Completion got = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: feature, dword11: which));
        Completion first = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: feature | 1 << 8, dword11: which));
        machine.Driver.Disable();
        machine.Driver.Enable();
        Completion afterReset = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: feature, dword11: which));

        got.Result.Should().Be(feature == 0x04 ? value & 0xFFFF : feature == 0x01 ? value & 0xFFFF_FF07 : value);
        first.Result.Should().Be(afterReset.Result, "the default is what a reset leaves");
    }

    [Theory]
    [InlineData(0x00u, 0u, Status.InvalidField)] // there is none of this number
    [InlineData(0x03u, 0u, Status.InvalidField)]
    [InlineData(0x06u, 0u, Status.InvalidField)] // memory has no cache to switch off
    [InlineData(0x02u, 1u, Status.InvalidField)] // nor a second power state
    [InlineData(0x05u, 1u << 16, Status.InvalidField)] // deallocated blocks are no error
    [InlineData(0x09u, 99u, Status.InvalidField)]
    [InlineData(0x07u, 0x0000_FFFFu, Status.InvalidField)]
    [InlineData(0x8000_0001u, 0u, Status.FeatureNotSaveable)]
    public void Features_that_cannot_be_set_are_refused(uint feature, uint value, object status)
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: feature, dword11: value)).Status.Should().Be((Status)status);
    }

    [Fact]
    public void Number_of_queues_is_said_before_the_first_one_is_made_and_not_after()
    {
        using Machine machine = new(options: new NvmeControllerOptions { IoQueues = 3 });

        Completion before = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 7, dword11: 0x001F_001F));
        machine.Driver.CreateQueue(1);
        Completion after = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 7, dword11: 0x001F_001F));

        before.Result.Should().Be(0x0002_0002u);
        after.Status.Should().Be(Status.CommandSequenceError);
    }

    [Fact]
    public void Timestamp_goes_on_from_what_was_set()
    {
        using Machine machine = new();
        ulong now = 1_700_000_000_000;

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 0, machine.Guest.Place(BitConverter.GetBytes(now)), 0x0E)));
        byte[] page = machine.Page(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 0x0E));

        ulong got = BitConverter.ToUInt64(page);
        (got & 0xFFFF_FFFF_FFFF).Should().BeInRange(now, now + 600_000);
        (got >> 49 & 7).Should().Be(1, "the host has set it");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Host_behavior_is_read_back_until_a_reset(byte retries)
    {
        using Machine machine = new();
        byte[] behavior = new byte[512];
        (behavior[0], behavior[100]) = (retries, 7);

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 0, machine.Guest.Place(behavior), 0x16)));
        byte[] got = machine.Page(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 0x16));
        machine.Driver.Disable();
        machine.Driver.Enable();
        byte[] afterReset = machine.Page(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 0x16));

        got[..512].Should().StartWith([retries, 0]).And.OnlyContain(value => value == 0 || value == retries, "what is reserved stays 0");
        afterReset.Should().OnlyContain(value => value == 0);
    }

    [Fact]
    public void Host_behavior_that_is_not_defined_is_refused()
    {
        using Machine machine = new();
        byte[] behavior = new byte[512];
        behavior[0] = 2;

        machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 0, machine.Guest.Place(behavior), 0x16)).Status.Should().Be(Status.InvalidField);
    }
}
