using VfioUser.Client;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>States that parts of a device have besides their registers.</summary>
public class NamedStateTests
{
    [Fact]
    public void Parts_of_a_kind_keep_each_its_own_state()
    {
        Counters source = new();
        (source.In.Pulses, source.Out.Pulses) = (5, 7);
        using TestGuest guest = TestGuest.Attach(source);
        Counters target = new();

        using TestGuest moved = guest.MigrateTo(target);

        (target.In.Pulses, target.Out.Pulses).Should().Be((5, 7));
    }

    [Fact]
    public void A_state_that_is_new_keeps_its_value_with_an_older_stream()
    {
        Counters target = new(version: 2) { Added = 9 };

        using TestGuest moved = TestGuest.Attach(new Counters(version: 1)).MigrateTo(target);

        target.Added.Should().Be(9);
    }

    [Fact]
    public void A_stream_of_a_state_that_is_not_known_is_refused_with_its_name()
    {
        byte[] stream = Saved(new Counters(version: 2));
        using TestGuest guest = TestGuest.Attach(new Counters(version: 1));

        guest.Migration.Invoking(migration => migration.Restore(stream)).Should().Throw<VfioUserException>();

        guest.Log.Should().Contain(line => line.Contains("State:Added"));
    }

    [Fact]
    public void A_value_that_the_part_refuses_fails_the_restore_with_its_reason()
    {
        Counters source = new();
        source.In.Pulses = -1;
        byte[] stream = Saved(source);
        using TestGuest guest = TestGuest.Attach(new Counters());

        guest.Migration.Invoking(migration => migration.Restore(stream)).Should().Throw<VfioUserException>();

        guest.Log.Should().Contain(line => line.Contains("-1 pulses"));
    }

    [Fact]
    public void Two_states_of_one_name_are_a_mistake()
    {
        Counters device = new();

        device.Invoking(d => d.AddState("IN.Pulses", () => 0, (int _) => { })).Should().Throw<ArgumentException>().WithMessage("*IN.Pulses*");
    }

    private static byte[] Saved(Counters device)
    {
        using TestGuest guest = TestGuest.Attach(device);
        return guest.Migration.Save();
    }

    private sealed class Counters : PciDevice
    {
        public Counters(int version = 2)
            : base(new PciId(0x1B36, 0x00FA), PciClass.Other)
        {
            In = new Counter(this, "IN");
            Out = new Counter(this, "OUT");
            if (version >= 2)
                AddState("Added", () => Added, value => Added = value, since: 2);
            EnableMigration(new MigrationOptions { Version = version, ReadableFrom = 1 });
        }

        public Counter In { get; }

        public Counter Out { get; }

        public long Added { get; set; }
    }

    private sealed class Counter : DevicePart
    {
        public Counter(PciDevice device, string name)
            : base(device)
        {
            device.AddState($"{name}.Pulses", save: () => Pulses, restore: pulses => Pulses = Checked(pulses));
        }

        public int Pulses { get; set; }

        private static int Checked(int pulses) => pulses >= 0 ? pulses : throw new InvalidDataException($"{pulses} pulses");
    }
}
