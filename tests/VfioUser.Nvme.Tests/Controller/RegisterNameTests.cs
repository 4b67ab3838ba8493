using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Controller;

public class RegisterNameTests
{
    [Fact]
    public void Registers_and_their_fields_are_known_by_the_names_of_the_specification()
    {
        using var machine = new Machine();

        machine.Guest.Registers["CC"].Read("EN").Should().Be(1);
        machine.Guest.Registers["CC"].Read("IOSQES").Should().Be(6);
        machine.Guest.Registers["CSTS"].Describe().Should().Be("CSTS = 0x00000001 (RDY)");
        machine.Guest.Registers["AQA"].Read("ASQS").Should().BePositive();
    }
}
