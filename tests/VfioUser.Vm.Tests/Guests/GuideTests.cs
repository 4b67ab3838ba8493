#pragma warning disable MA0048, CA1515 // what the guide shows is public
using FluentAssertions;
using My_Device1;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Guests;

/// <summary>One guest for all tests of a class, as <c>docs/testing.md</c> has it.</summary>
public sealed class CardInLinux() : LinuxGuestFixture(() => new LinuxGuestOptions { Devices = [new Card()], Programs = ["lspci"] });

/// <summary>What <c>docs/testing.md</c> and the package's README show.</summary>
public class GuideTests(CardInLinux linux) : IClassFixture<CardInLinux>
{
    [VmFact]
    public async Task Linux_finds_the_card()
    {
        LinuxGuest guest = await linux.StartedAsync();

        (await guest.OutputAsync("lspci -n -d 1b36:00f4")).Should().EndWith("1b36:00f4");
    }

    [VmFact]
    public async Task A_fixture_starts_one_guest() =>
        (await linux.StartedAsync()).Should().BeSameAs(await linux.StartedAsync());

    [VmFact]
    public async Task A_guest_of_ones_own_has_the_card()
    {
        await using LinuxGuest guest = await LinuxGuest.StartAsync(new Card(), new LinuxGuestOptions { Programs = ["lspci"] });

        string devices = await guest.OutputAsync("lspci -nn -d 1b36:");

        Assert.Contains("[1b36:00f4]", devices);
    }
}
