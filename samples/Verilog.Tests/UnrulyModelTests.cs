using Cosimulation;
using Verilog.Tests.Support;
using VfioUser.Testing;

namespace Verilog.Tests;

/// <summary>The bridge, before hardware that has bugs.</summary>
public class UnrulyModelTests
{
    private const long Cycles = 0x00;
    private const long NeverAnswered = 0x04;
    private const long Finish = 0x08;
    private const long Stop = 0x0C;
    private const long Wires = 0x10;
    private const long Delay = 0x14;

    [VerilatorFact]
    public void Clock_stands_still_while_nothing_needs_it()
    {
        using UnrulyCard card = new();
        using TestGuest guest = TestGuest.Attach(card);

        uint first = guest.Bar0.Read<uint>(Cycles);
        uint second = guest.Bar0.Read<uint>(Cycles);

        (second - first).Should().Be(1, "an access that is answered at once takes one cycle");
    }

    [VerilatorFact]
    public void Slow_answer_is_waited_for()
    {
        using UnrulyCard card = new();
        using TestGuest guest = TestGuest.Attach(card);
        guest.Bar0.Write(Delay, 500u);

        uint before = guest.Bar0.Read<uint>(Cycles);
        uint after = guest.Bar0.Read<uint>(Delay);

        (after - before).Should().Be(501);
        card.Core.State.Should().Be(ModelState.Running);
    }

    [VerilatorFact]
    public void Access_that_is_never_answered_gives_all_ones_until_a_reset()
    {
        using UnrulyCard card = new();
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar0.Read<uint>(NeverAnswered).Should().Be(uint.MaxValue);
        guest.Bar0.Write(Wires, 1u);
        guest.Bar0.Read<ulong>(Cycles).Should().Be(ulong.MaxValue);

        card.Core.State.Should().Be(ModelState.Stuck);
        guest.MsiX.ExpectNone();
        guest.Log.Should().ContainSingle(line => line.Contains("has not answered", StringComparison.Ordinal));
        guest.Reset();
        card.Core.State.Should().Be(ModelState.Running);
        guest.Bar0.Read<uint>(Cycles).Should().BeLessThan(10);
    }

    [VerilatorTheory]
    [InlineData(Finish)]
    [InlineData(Stop)]
    public void Model_that_ends_itself_gives_all_ones_until_a_reset(long register)
    {
        using UnrulyCard card = new();
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar0.Write(register, 1u);
        guest.Bar0.Read<uint>(Cycles).Should().Be(uint.MaxValue);

        card.Core.State.Should().Be(ModelState.Finished);
        guest.Reset();
        card.Core.State.Should().Be(ModelState.Running);
        guest.Bar0.Read<uint>(Cycles).Should().BeLessThan(10);
    }

    [VerilatorFact]
    public void Each_wire_that_rises_is_a_vector()
    {
        using UnrulyCard card = new();
        using TestGuest guest = TestGuest.Attach(card);
        guest.StartDriver();

        guest.Bar0.Write(Wires, 0b1001u);
        guest.MsiX.TakeAll().Should().Equal(1, 0, 0, 1);
        guest.Bar0.Write(Wires, 0b1011u);
        guest.MsiX.TakeAll().Should().Equal(0, 1, 0, 0);
        guest.Bar0.Write(Wires, 0u);
        guest.Bar0.Write(Wires, 0b0001u);

        guest.MsiX.TakeAll().Should().Equal(1, 0, 0, 0);
    }
}
