using System.Text;
using FluentAssertions;

namespace VfioUser.Vm.Tests.Guests;

public class MarkedOutputTests
{
    [Theory]
    [InlineData("vm: begin 3\none\ntwo\nvm: end 3 0\n", "one\ntwo")]
    [InlineData("vm: begin 3\ntwovm: end 3 0\n", "two")] // a last line without a break
    [InlineData("vm: begin 3\nvm: end 3 1\n", "")]
    [InlineData("vm: ready\r\nvm: begin 2\nother\nvm: end 2 0\nvm: begin 3\r\nvm: end\r\nvm: end 2 0\r\nvm: end 3 0\r\n", "vm: end\nvm: end 2 0")]
    [InlineData("vm: begin 3\none\n\nvm: end 3 0\nvm: begin 4\nfour\nvm: end 4 0\n", "one\n")]
    public void Output_is_what_stands_between_the_marks_however_the_port_cuts_it(string console, string expected)
    {
        for (int size = 1; size <= console.Length; size++)
        {
            StringBuilder output = new();
            MarkedOutput marked = new(3, piece => output.Append(piece));

            foreach (char[] piece in console.Chunk(size))
                marked.Append(new string(piece));

            output.ToString().Should().Be(expected, "pieces have {0} characters", size);
        }
    }

    [Fact]
    public void Output_comes_before_its_line_is_whole()
    {
        StringBuilder output = new();
        MarkedOutput marked = new(1, piece => output.Append(piece));

        marked.Append("vm: begin 1\npassword: ");

        output.ToString().Should().Be("password: ");
    }
}
